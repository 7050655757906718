// @ethereumjs/tx 5.4.0, which MetaMask's controllers name, encodes an authorization's nonce as a list, as a draft of
// EIP-7702 had it; the controllers give it the single nonce of the final EIP. Its newer versions have another interface. So
// the single nonce is put in and taken out of the list here, at the two functions that handle it.
import { AuthorizationLists } from '../node_modules/@ethereumjs/tx/dist/esm/util.js';

const isJson = (item) => !Array.isArray(item);
const listed = (item) => (isJson(item) ? { ...item, nonce: [item.nonce] } : item.with(2, [item[2]]));

const { getAuthorizationListData, verifyAuthorizationList } = AuthorizationLists;

AuthorizationLists.getAuthorizationListData = (list) => {
  const data = getAuthorizationListData(list.map(listed));
  return {
    authorizationList: data.authorizationList.map((item) => item.with(2, item[2][0])),
    AuthorizationListJSON: data.AuthorizationListJSON.map((item) => ({ ...item, nonce: item.nonce[0] })),
  };
};
AuthorizationLists.verifyAuthorizationList = (list) => verifyAuthorizationList(list.map(listed));
