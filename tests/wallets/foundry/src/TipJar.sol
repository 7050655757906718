// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title TipJar
/// @notice Takes tips with a note; its owner empties it.
contract TipJar {
    /// @notice `from` left `amount` wei and a note.
    event Tipped(address indexed from, uint256 amount, string note);

    /// @notice Only the owner may do this.
    error NotOwner(address caller);

    /// @notice Who may empty the jar.
    address public immutable owner;

    /// @notice How many tips there were.
    uint256 public tips;

    constructor(address owner_) payable {
        owner = owner_;
    }

    /// @notice Leaves the OPEN that comes with the call.
    function tip(string calldata note) external payable {
        tips += 1;
        emit Tipped(msg.sender, msg.value, note);
    }

    /// @notice Sends everything to the owner.
    function empty() external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        (bool paid,) = owner.call{value: address(this).balance}("");
        require(paid, "owner cannot be paid");
    }
}
