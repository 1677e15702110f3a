/** From the browser's many counters to the few that tell how a call goes, and to one word. */

/**
 * @typedef {object} Totals
 * @property {number} framesDecoded of the other side's picture
 * @property {number} framesSent of my own picture
 * @property {number} totalAudioEnergy heard from the other side
 * @property {number} packetsReceived
 * @property {number} packetsLost
 * @property {number | null} roundTrip in seconds
 * @property {boolean} relayed whether the path goes through a TURN server
 */

/** @typedef {"good" | "fair" | "poor" | "unknown"} Quality */

/**
 * @param {any[]} reports
 * @returns {Totals}
 */
export function totalsOf(reports) {
  const inbound = reports.filter(({ type }) => type === "inbound-rtp");
  const sum = (/** @type {any[]} */ from, /** @type {string} */ name) => from.reduce((total, each) => total + (each[name] ?? 0), 0);
  const transport = reports.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
  const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
  const local = reports.find(({ id }) => id === pair?.localCandidateId);
  return {
    framesDecoded: sum(inbound, "framesDecoded"),
    framesSent: sum(reports.filter(({ type, kind }) => type === "outbound-rtp" && kind === "video"), "framesSent"),
    totalAudioEnergy: sum(inbound, "totalAudioEnergy"),
    packetsReceived: sum(inbound, "packetsReceived"),
    packetsLost: sum(inbound, "packetsLost"),
    roundTrip: pair?.currentRoundTripTime ?? null,
    relayed: local?.candidateType === "relay",
  };
}

/**
 * Everything that the browser measures of one peer connection.
 * @param {import("./paths.js").OpenLink} open
 */
export async function figuresOf({ pc, participantId, link }) {
  const reports = [...(await link.pc.getStats()).values()];
  return { pc, participantId, state: link.state, generation: link.generation, ...totalsOf(reports), reports };
}

/**
 * What came in of these tracks.
 * @param {import("./link.js").Link | null} link
 * @param {MediaStreamTrack[]} tracks
 */
export async function receivedBy(link, tracks) {
  const receivers = (link?.pc.getReceivers() ?? []).filter(({ track }) => tracks.includes(track));
  const reports = (await Promise.all(receivers.map((each) => each.getStats()))).flatMap((each) => [...each.values()]);
  const { framesDecoded, totalAudioEnergy, packetsReceived } = totalsOf(reports);
  const inbound = reports.filter(({ type }) => type === "inbound-rtp");
  const largest = (/** @type {string} */ name) => Math.max(0, ...inbound.map((each) => each[name] ?? 0));
  return { framesDecoded, frameWidth: largest("frameWidth"), frameHeight: largest("frameHeight"), totalAudioEnergy, packetsReceived };
}

/** @type {Quality[]} */
const FROM_WORST = ["poor", "fair", "good"];

/** Several connections in one word: that of the worst. @param {Quality[]} qualities @returns {Quality} */
export function worst(qualities) {
  return FROM_WORST.find((each) => qualities.includes(each)) ?? "unknown";
}

/**
 * The call in one word, over the time since the last look: speech suffers above 2 % loss or 250 ms, and is
 * hard to follow above 8 % or 500 ms. Counters that are lower than before have begun anew, as browsers let
 * them after an offer was taken back.
 * @param {Totals} now
 * @param {Totals} [before]
 * @returns {Quality}
 */
export function qualityOf(now, before) {
  if (!before) return "unknown";
  const anew = now.packetsReceived < before.packetsReceived;
  const received = now.packetsReceived - (anew ? 0 : before.packetsReceived);
  const lost = Math.max(0, now.packetsLost - (anew ? 0 : before.packetsLost));
  if (received + lost <= 0) return "unknown";
  const loss = lost / (received + lost);
  const trip = now.roundTrip ?? 0;
  if (loss > 0.08 || trip > 0.5) return "poor";
  return loss > 0.02 || trip > 0.25 ? "fair" : "good";
}

/** Remembers the last look at each peer connection. */
export class Meter {
  /** @type {WeakMap<RTCPeerConnection, Totals>} */
  #before = new WeakMap();

  /** @param {RTCPeerConnection} pc */
  async read(pc) {
    const now = totalsOf([...(await pc.getStats()).values()]);
    const quality = qualityOf(now, this.#before.get(pc));
    this.#before.set(pc, now);
    return quality;
  }
}

const EVERY_MS = 2_000;

/** Looks again and again at all connections that stand. */
export class Watch {
  /** @type {Quality} */
  quality = "unknown";
  #meter = new Meter();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {() => import("./paths.js").OpenLink[]} links
   * @param {() => void} changed
   */
  begin(links, changed) {
    this.#timer = setInterval(() => void this.#look(links(), changed), EVERY_MS);
  }

  end() {
    clearInterval(this.#timer);
  }

  /**
   * @param {import("./paths.js").OpenLink[]} links
   * @param {() => void} changed
   */
  async #look(links, changed) {
    const connected = links.filter(({ link }) => link.state === "connected");
    if (connected.length === 0) return;
    const quality = worst(await Promise.all(connected.map(({ link }) => this.#meter.read(link.pc))));
    if (quality === this.quality) return;
    this.quality = quality;
    changed();
  }
}
