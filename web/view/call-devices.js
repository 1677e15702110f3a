import { listDevices, openDevice, openDevices } from "../client/devices.js";
import { useEffect, useRef, useState } from "./preact.js";

/** Camera and microphone of this page: what is open, what is chosen, what went wrong. */

/** @typedef {import("../client/devices.js").DeviceTrouble} DeviceTrouble */
/** @typedef {{track: MediaStreamTrack | null, trouble: DeviceTrouble | null}} Device */
/** @typedef {ReturnType<typeof useDevices>} Devices */

const CHOSEN = { audio: "mentorspan.microphone", video: "mentorspan.camera" };
/** @type {Device} */
const NONE = { track: null, trouble: null };

export function useDevices() {
  const [audio, setAudio] = useState(NONE);
  const [video, setVideo] = useState(NONE);
  const [ready, setReady] = useState(false);
  const [lists, setLists] = useState(/** @type {{audio: MediaDeviceInfo[], video: MediaDeviceInfo[]}} */ ({ audio: [], video: [] }));
  // Effects and callbacks of an earlier drawing must stop what is open now.
  const open = useRef(/** @type {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} */ ({ audio: null, video: null }));
  const gone = useRef(false);

  const put = (/** @type {"audio" | "video"} */ kind, /** @type {Device} */ device) => {
    if (gone.current) return device.track?.stop();
    if (open.current[kind] !== device.track) open.current[kind]?.stop();
    open.current[kind] = device.track;
    // A headset that is pulled out ends its track; what is stopped here does not say so.
    device.track?.addEventListener("ended", () => open.current[kind] === device.track && put(kind, NONE));
    (kind === "audio" ? setAudio : setVideo)(device);
  };
  const look = async () => setLists({ audio: await listDevices("audio"), video: await listDevices("video") });
  const start = async () => {
    const opened = await openDevices();
    put("audio", opened.audio);
    put("video", opened.video);
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      const wanted = localStorage.getItem(CHOSEN[kind]);
      if (wanted && opened[kind].track && opened[kind].track.getSettings().deviceId !== wanted) await choose(kind, wanted, false);
    }
    await look();
    setReady(true);
  };
  const choose = async (/** @type {"audio" | "video"} */ kind, /** @type {string} */ deviceId, keep = true) => {
    const device = await openDevice(kind, deviceId);
    if (device.track) {
      if (keep) localStorage.setItem(CHOSEN[kind], deviceId);
      put(kind, device);
    } else if (keep) (kind === "audio" ? setAudio : setVideo)({ track: open.current[kind], trouble: device.trouble });
    return device.track;
  };
  const again = async (/** @type {"audio" | "video"} */ kind) => {
    const device = await openDevice(kind, localStorage.getItem(CHOSEN[kind]) ?? undefined);
    put(kind, device);
    await look();
    return device.track;
  };
  const off = (/** @type {"audio" | "video"} */ kind) => put(kind, NONE);
  const stop = () => {
    off("audio");
    off("video");
  };

  useEffect(() => {
    void start();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => {
      navigator.mediaDevices?.removeEventListener("devicechange", look);
      gone.current = true;
      for (const track of Object.values(open.current)) track?.stop();
    };
  }, []);
  return { audio, video, ready, lists, start, choose, again, off, stop };
}
