import { mock } from "node:test";
import { FakePeerConnection, installBrowser, installPeerConnections } from "./browser.mjs";

/** A call that is entered, with others and a service that do as they are told. */

export const browser = installBrowser();
installPeerConnections();
const { Call } = await import("../../web/client/call.js");

let seq = 0;
let topology = "direct";

export const person = (id, more = {}) => ({
  id, membership_id: `m-${id}`, name: id, organisation: "o", role: "mentor",
  audio: true, video: true, state: "online", polite: false, ...more,
});
const welcome = (more = {}) => ({
  type: "welcome", seq: 0, version: 1, call_id: "c", participant_id: "me", resume_token: "r1", resumed: false,
  topology, recording: { state: "off", agreed: [] }, heartbeat_seconds: 5, grace_seconds: 15, participants: [person("other")], ...more,
});

export const settle = async () => {
  for (let round = 0; round < 30; round += 1) await Promise.resolve();
};
export const wait = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};
const latest = () => browser.sockets.at(-1);
export const sent = (type) => latest().sent.filter((message) => message.type === type);
export const hear = async (message) => {
  seq += 1;
  latest().hear({ seq, ...message });
  await settle();
};

/** What the server of a forwarded call offers, one section for each of `[mid, participant, source]`; others are there and carry nothing. */
export const offered = (tracks, { generation = 1, empty = [] } = {}) => {
  const sections = [...tracks.map(([mid, , source]) => [mid, source]), ...empty];
  const sdp = sections.map(([mid, source]) => `m=${/camera|screen$/.test(source) ? "video" : "audio"} 9 x 0\r\na=mid:${mid}\r\n`).join("");
  const named = tracks.map(([mid, participant_id, source]) => ({ mid, participant_id, source }));
  return hear({ type: "offer", from: null, pc: "subscribe", generation, sdp: `v=0\r\n${sdp}`, tracks: named });
};

/** Lose the socket and come back with this welcome. */
export const comeBack = async (more = {}) => {
  if (more.resumed === false) seq = 0;
  latest().lose(1006);
  await wait(0);
  latest().open();
  latest().hear(welcome({ seq, resumed: true, ...more }));
  await settle();
};

/** Enter a call of this topology; leave it with `leave`. */
export async function enter({ kind = "direct", tracks = {}, participants = [person("other")] } = {}) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  browser.reset();
  FakePeerConnection.all.length = 0;
  [seq, topology] = [0, kind];
  const grant = { ticket: "t", call_id: "c", socket_url: "ws://x/calls/c", ice_servers: [], ice_policy: "all" };
  const call = new Call({ ticket: async () => /** @type {any} */ (grant), ...tracks });
  await call.join();
  latest().open();
  latest().hear(welcome({ participants }));
  await settle();
  return call;
}

export function leave(call) {
  call.leave();
  mock.timers.reset();
}
