// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";

/// @title DatanetRegistry
/// @notice Anyone may create a datanet; its owner alone publishes versions, which then stand for ever.
contract DatanetRegistry is IDatanetRegistry {
    uint256 internal constant MAX_NAME_LENGTH = 128;
    uint256 internal constant MAX_URI_LENGTH = 1024;

    struct Datanet {
        address owner;
        uint32 latestVersion;
        string name;
    }

    struct Version {
        bytes32 root;
        uint32 count;
        string uri;
    }

    /// @notice Number of datanets, which is also the newest id.
    uint256 public datanetCount;

    mapping(uint256 datanetId => Datanet) internal _datanets;
    mapping(uint256 datanetId => mapping(uint32 version => Version)) internal _versions;

    /// @inheritdoc IDatanetRegistry
    mapping(bytes32 root => bool) public isRoot;

    /// @inheritdoc IDatanetRegistry
    function createDatanet(string calldata name) external returns (uint256 datanetId) {
        if (bytes(name).length == 0 || bytes(name).length > MAX_NAME_LENGTH) revert InvalidName();
        datanetId = ++datanetCount;
        Datanet storage created = _datanets[datanetId];
        created.owner = msg.sender;
        created.name = name;
        emit DatanetCreated(datanetId, msg.sender, name);
    }

    /// @inheritdoc IDatanetRegistry
    function publishVersion(uint256 datanetId, bytes32 root, uint32 count, string calldata uri)
        external
        returns (uint32 version)
    {
        Datanet storage published = _datanets[datanetId];
        if (published.owner == address(0)) revert UnknownDatanet(datanetId);
        if (published.owner != msg.sender) revert NotDatanetOwner(datanetId, msg.sender);
        if (root == bytes32(0) || count == 0) revert EmptyVersion();
        if (bytes(uri).length > MAX_URI_LENGTH) revert InvalidUri();

        version = ++published.latestVersion;
        _versions[datanetId][version] = Version(root, count, uri);
        isRoot[root] = true;
        emit VersionPublished(datanetId, version, root, count, uri);
    }

    /// @inheritdoc IDatanetRegistry
    function datanet(uint256 datanetId)
        external
        view
        returns (address owner, string memory name, uint32 latestVersion)
    {
        Datanet storage found = _datanets[datanetId];
        return (found.owner, found.name, found.latestVersion);
    }

    /// @inheritdoc IDatanetRegistry
    function versionOf(uint256 datanetId, uint32 version)
        external
        view
        returns (bytes32 root, uint32 count, string memory uri)
    {
        Version storage found = _versions[datanetId][version];
        if (found.root == bytes32(0)) revert UnknownVersion(datanetId, version);
        return (found.root, found.count, found.uri);
    }
}
