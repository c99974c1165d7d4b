// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";

/// @title What a record may hold
/// @dev Form only; whether it is true is for the stewards to know.
library RecordRules {
    uint256 internal constant NAME_BYTES_MAX = 200;
    uint256 internal constant URL_BYTES_MAX = 300;
    uint256 internal constant GLNS_MAX = 256;
    uint256 internal constant RIGHTS_MAX = 256;
    uint256 internal constant KEYS_MAX = 256;
    uint16 internal constant ALL_ROLES = 63;

    error TooLong(uint256 length, uint256 max);
    error TooMany(uint256 given, uint256 max);
    error UnknownRoles(uint16 roles);
    error EmptyName();
    error UrlNotPrintable(uint256 position);
    error NotDigits(string text, uint256 lengthMin, uint256 lengthMax);
    error EmptyInterval(uint64 validFrom, uint64 validUntil);
    error NoPurpose();
    error EmptyKey();
    error NotAnAddress(bytes32 publicKey);

    function checkProfile(uint16 roles, string memory name, string[] memory glns, IRegistry.Right[] memory rights)
        internal
        pure
    {
        if (roles == 0 || roles > ALL_ROLES) revert UnknownRoles(roles);
        if (bytes(name).length == 0) revert EmptyName();
        if (bytes(name).length > NAME_BYTES_MAX) revert TooLong(bytes(name).length, NAME_BYTES_MAX);
        if (glns.length > GLNS_MAX) revert TooMany(glns.length, GLNS_MAX);
        if (rights.length > RIGHTS_MAX) revert TooMany(rights.length, RIGHTS_MAX);
        for (uint256 i = 0; i < glns.length; i++) {
            _checkDigits(glns[i], 13, 13);
        }
        for (uint256 i = 0; i < rights.length; i++) {
            _checkRight(rights[i]);
        }
    }

    function checkUrl(string memory url) internal pure {
        if (bytes(url).length > URL_BYTES_MAX) revert TooLong(bytes(url).length, URL_BYTES_MAX);
        for (uint256 i = 0; i < bytes(url).length; i++) {
            if (bytes(url)[i] < "!" || bytes(url)[i] > "~") revert UrlNotPrintable(i);
        }
    }

    function checkKeyCount(uint256 count) internal pure {
        if (count > KEYS_MAX) revert TooMany(count, KEYS_MAX);
    }

    function checkKey(IRegistry.Purpose purpose, bytes32 publicKey) internal pure {
        if (purpose == IRegistry.Purpose.None) revert NoPurpose();
        if (publicKey == 0) revert EmptyKey();
        bool isAddress = purpose == IRegistry.Purpose.Event || purpose == IRegistry.Purpose.Operator;
        if (isAddress && uint256(publicKey) > type(uint160).max) revert NotAnAddress(publicKey);
    }

    function _checkRight(IRegistry.Right memory right) private pure {
        _checkDigits(right.digits, 4, 14);
        if (right.validUntil != 0 && right.validUntil <= right.validFrom) {
            revert EmptyInterval(right.validFrom, right.validUntil);
        }
    }

    function _checkDigits(string memory text, uint256 lengthMin, uint256 lengthMax) private pure {
        bytes memory digits = bytes(text);
        bool ok = digits.length >= lengthMin && digits.length <= lengthMax;
        for (uint256 i = 0; ok && i < digits.length; i++) {
            ok = digits[i] >= "0" && digits[i] <= "9";
        }
        if (!ok) revert NotDigits(text, lengthMin, lengthMax);
    }
}
