import { Link } from "./link.js";

/** What this side sends in a forwarded call: one connection with the server, on which only this side offers. */

/** @import { Surroundings } from "./paths.js" */
/** @import { HeardDescription, PublishedTrack, Source } from "./protocol.js" */

const PC = "publish";

/** Three sizes of one picture, the largest last: the server gives to each viewer what fits. @type {RTCRtpEncodingParameters[]} */
const LAYERS = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", maxBitrate: 1_500_000 },
];

export class Publisher {
  /** @type {Link | null} */
  link = null;
  #generation = 1;
  /** @type {Map<Source, RTCRtpTransceiver>} */
  #sections = new Map();

  /** @param {Surroundings} given */
  constructor(given) {
    this.given = given;
  }

  /** Send everything that there is; until there is something, there is no connection. @param {number} [generation] */
  begin(generation = 1) {
    this.close();
    this.#generation = generation;
    for (const [source, track] of this.#present()) this.#add(source, track);
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async send(source, track) {
    const section = this.#sections.get(source);
    if (section && section.currentDirection !== "stopped") {
      await section.sender.replaceTrack(track);
      // A new generation may have begun meanwhile, with what is sent now.
      if (section !== this.#sections.get(source)) return;
      // A microphone or camera that is off keeps its place; a screen is gone until it is shared again.
      section.direction = track || !isScreen(source) ? "sendonly" : "inactive";
    } else if (track) {
      this.#add(source, track);
    }
  }

  /** @param {HeardDescription} description */
  answered(description) {
    const expected = description.type === "answer" && description.generation === this.link?.generation;
    if (expected) void this.link?.described(description);
  }

  close() {
    this.link?.close();
    this.link = null;
    this.#sections.clear();
  }

  #present() {
    const sources = Object.entries(this.given.sources());
    return /** @type {[Source, MediaStreamTrack][]} */ (sources.filter(([, track]) => track !== null));
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack} track
   */
  #add(source, track) {
    this.link ??= this.#open(this.#generation);
    const sendEncodings = source === "camera" ? LAYERS.map((layer) => ({ ...layer })) : undefined;
    const section = this.link.pc.addTransceiver(track, { direction: "sendonly", ...(sendEncodings && { sendEncodings }) });
    if (track.kind === "video") preferVp8(section);
    this.#sections.set(source, section);
  }

  /** @param {number} generation */
  #open(generation) {
    const { configuration, say, changed, trouble } = this.given;
    return new Link({
      configuration: configuration(),
      polite: false,
      generation,
      // The server needs none of our candidates, so it is told none.
      signal: (signal) => signal.type === "offer" && say({ ...signal, to: null, pc: PC, tracks: this.#tracks(signal.sdp) }),
      changed,
      lost: () => this.begin(generation + 1),
      trouble,
    });
  }

  /**
   * What the sections of this offer send.
   * @param {string} sdp
   * @returns {PublishedTrack[]}
   */
  #tracks(sdp) {
    const sending = new Set(sendingSections(sdp));
    return [...this.#sections].flatMap(([source, { mid }]) => (mid !== null && sending.has(mid) ? [{ mid, source }] : []));
  }
}

/** @param {Source} source */
function isScreen(source) {
  return source === "screen" || source === "screen_audio";
}

/** @param {string} sdp */
function sendingSections(sdp) {
  const sections = sdp.split(/^m=/m).slice(1).filter((section) => /^a=sendonly\s*$/m.test(section));
  return sections.map((section) => /^a=mid:(\S+)/m.exec(section)?.[1]);
}

/** Every browser decodes VP8, and the server sends on what one of them encoded. @param {RTCRtpTransceiver} section */
function preferVp8(section) {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs;
  if (!codecs || !("setCodecPreferences" in section)) return;
  const isVp8 = (/** @type {RTCRtpCodec} */ { mimeType }) => mimeType.toLowerCase() === "video/vp8";
  section.setCodecPreferences([...codecs.filter(isVp8), ...codecs.filter((codec) => !isVp8(codec))]);
}
