/** Camera and microphone: asking for them, saying plainly what went wrong, and showing that sound arrives. */

/** @typedef {"audio" | "video"} MediaKind */
/** @typedef {{kind: string, words: string}} DeviceTrouble */

/** What a person can do about each way in which getUserMedia fails. */
const WORDS = /** @type {Record<string, (thing: string) => string>} */ ({
  NotAllowedError: (thing) =>
    `Your browser does not let this page use your ${thing}. Allow it with the camera sign in the address bar, then try again.`,
  NotFoundError: (thing) => `No ${thing} was found. Plug one in or switch it on, then try again.`,
  NotReadableError: (thing) => `Your ${thing} is in use by another program, or it has stopped. Close that program, then try again.`,
  OverconstrainedError: (thing) => `The ${thing} you chose is not there any more. Choose another one.`,
  AbortError: (thing) => `Your ${thing} stopped while it was starting. Try again.`,
  SecurityError: (thing) => `This page may not use your ${thing}: it needs an address that starts with https.`,
  TypeError: (thing) => `This browser cannot use your ${thing} here: the page needs an address that starts with https.`,
});

/** @type {Record<MediaKind, string>} */
const THING = { audio: "microphone", video: "camera" };

/** @type {MediaTrackConstraints} */
const PICTURE = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
/** @type {MediaTrackConstraints} */
const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * @param {unknown} error what getUserMedia threw
 * @param {MediaKind} kind
 * @returns {DeviceTrouble}
 */
export function trouble(error, kind) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "Error";
  const words = WORDS[name] ?? (() => `Your ${THING[kind]} did not start. Try again, or carry on without it.`);
  return { kind: name, words: words(THING[kind]) };
}

/**
 * Ask for one device.
 * @param {MediaKind} kind
 * @param {string} [deviceId] which one, when the person chose
 * @returns {Promise<{track: MediaStreamTrack | null, trouble: DeviceTrouble | null}>}
 */
export async function openDevice(kind, deviceId) {
  try {
    const wanted = { ...(kind === "audio" ? SOUND : PICTURE), ...(deviceId ? { deviceId: { exact: deviceId } } : {}) };
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
    return { track: stream.getTracks()[0], trouble: null };
  } catch (error) {
    return { track: null, trouble: trouble(error, kind) };
  }
}

/**
 * Ask for camera and microphone at once, so that the browser asks the person once; when that fails, for each
 * alone, so that a missing camera does not cost the microphone.
 */
export async function openDevices() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: SOUND, video: PICTURE });
    return {
      audio: { track: stream.getAudioTracks()[0] ?? null, trouble: null },
      video: { track: stream.getVideoTracks()[0] ?? null, trouble: null },
    };
  } catch {
    return { audio: await openDevice("audio"), video: await openDevice("video") };
  }
}

/** Whether this browser can share a screen; phones mostly cannot. */
export function canOpenScreen() {
  return typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

/**
 * Let the person choose a screen, a window or a tab. Whoever chooses none is in no trouble.
 * @returns {Promise<{stream: MediaStream | null, trouble: DeviceTrouble | null}>}
 */
export async function openScreen() {
  try {
    // The sound of everything would bring the others' own voices back to them; that of one tab does not.
    const wanted = { video: { frameRate: { ideal: 15, max: 30 } }, audio: true, systemAudio: "exclude" };
    return { stream: await navigator.mediaDevices.getDisplayMedia(/** @type {any} */ (wanted)), trouble: null };
  } catch (error) {
    const kind = error instanceof Error ? error.name : "Error";
    if (kind === "NotAllowedError" || kind === "AbortError") return { stream: null, trouble: null };
    return { stream: null, trouble: { kind, words: "Your screen could not be shared. Try again, or choose a single window." } };
  }
}

/**
 * The devices to choose from. Their names are empty until one of them was allowed.
 * @param {MediaKind} kind
 */
export async function listDevices(kind) {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter((device) => device.kind === `${kind}input` && device.deviceId !== "");
}

/**
 * Call back with the loudness of a track, 0 to 1, about 15 times a second, until the returned function is called.
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} heard
 * @returns {() => void}
 */
export function watchLevel(track, heard) {
  const context = new AudioContext();
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(context, { fftSize: 512, smoothingTimeConstant: 0.5 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // Speech lies between about -50 and -10 dBFS.
    const decibel = 10 * Math.log10(power || 1e-10);
    heard(Math.min(1, Math.max(0, (decibel + 55) / 45)));
  }, 66);
  return () => {
    clearInterval(timer);
    source.disconnect();
    context.close().catch(() => undefined);
  };
}
