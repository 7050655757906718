// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IDatanetRegistry
/// @notice Collections of training data, each published as a sequence of versions. A version is a Merkle root over its
/// data and their contributors; the data themselves stand at a URI.
interface IDatanetRegistry {
    /// @notice A datanet was created.
    event DatanetCreated(uint256 indexed datanetId, address indexed owner, string name);

    /// @notice A version of a datanet was published.
    event VersionPublished(uint256 indexed datanetId, uint32 indexed version, bytes32 root, uint32 count, string uri);

    /// @notice No datanet has this id.
    error UnknownDatanet(uint256 datanetId);

    /// @notice The datanet has no such version.
    error UnknownVersion(uint256 datanetId, uint32 version);

    /// @notice Only the datanet's owner may publish.
    error NotDatanetOwner(uint256 datanetId, address caller);

    /// @notice A datanet needs a name of 1 to 128 bytes.
    error InvalidName();

    /// @notice A URI has at most 1024 bytes.
    error InvalidUri();

    /// @notice A version needs a root and at least one datum.
    error EmptyVersion();

    /// @notice Creates a datanet that belongs to the caller.
    /// @param name For people, 1 to 128 bytes; need not be unique.
    /// @return datanetId Ids count from 1.
    function createDatanet(string calldata name) external returns (uint256 datanetId);

    /// @notice Publishes the next version of a datanet of the caller's.
    /// @param datanetId The datanet.
    /// @param root Merkle root over its data.
    /// @param count Number of data.
    /// @param uri Where the data can be had.
    /// @return version Versions count from 1.
    function publishVersion(uint256 datanetId, bytes32 root, uint32 count, string calldata uri)
        external
        returns (uint32 version);

    /// @notice A datanet; the zero address owns what does not exist.
    function datanet(uint256 datanetId) external view returns (address owner, string memory name, uint32 latestVersion);

    /// @notice A version of a datanet.
    function versionOf(uint256 datanetId, uint32 version)
        external
        view
        returns (bytes32 root, uint32 count, string memory uri);

    /// @notice Whether any datanet published a version with this root.
    function isRoot(bytes32 root) external view returns (bool);
}
