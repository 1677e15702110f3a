/** The two ways in which sound and picture travel, Direct and Forwarded, as a call sees them. */
import type { Link } from "./link.js";
import type { HeardCandidate, HeardDescription, Participant, Said, Source, TrackState } from "./protocol.js";

export type Sources = Record<Source, MediaStreamTrack | null>;

/** What a call gives to them. */
export interface Surroundings {
  configuration: () => RTCConfiguration;
  /** What this side sends now. */
  sources: () => Sources;
  /** Everybody else who is here. */
  participants: ReadonlyMap<string, Participant>;
  say: (message: Said) => void;
  changed: () => void;
  /** Somebody began or ceased to share their screen. */
  screened: (participantId: string, on: boolean) => void;
  trouble: (error: unknown) => void;
  /** A direct path is not found, or does not come back. */
  stuck?: () => void;
}

export interface OpenLink { pc: string; participantId: string; link: Link }

export interface Paths {
  /** A new stay begins, with these people in the call. */
  begin(present: Participant[]): void;
  /** The socket was lost and is back. */
  resumed(): void;
  arrived(id: string): void;
  departed(id: string): void;
  /** Somebody else's socket was lost and is back. */
  returned(id: string): void;
  heard(signal: HeardDescription | HeardCandidate): void;
  /** The network has room for a picture, or has not. */
  told(state: TrackState): void;
  /** Send another track, or none. */
  send(source: Source, track: MediaStreamTrack | null): Promise<void>;
  /** Camera and microphone. */
  streamOf(id: string): MediaStream | null;
  screenOf(id: string): MediaStream | null;
  /** Whether this picture is held back because the network has no room for it. */
  isPaused(id: string, source: Source): boolean;
  connectionWith(id: string): RTCPeerConnectionState;
  /** Of all connections that the call needs now. */
  states(): RTCPeerConnectionState[];
  links(): OpenLink[];
  /** The connection that somebody's sound and picture come by. */
  linkFrom(id: string): Link | null;
  close(): void;
}
