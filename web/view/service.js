import { Api } from "../client/api.js";

/** The service that this page came from. */
export const api = new Api();
