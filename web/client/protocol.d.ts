/** What travels on the calls socket (docs/protocol.md). */

export interface Participant {
  id: string;
  membership_id: string;
  name: string;
  organisation: string;
  role: string;
  audio: boolean;
  video: boolean;
  state: "online" | "reconnecting";
  /** Whether this side is the polite one towards them. */
  polite: boolean;
}

export interface CandidateLine {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
  usernameFragment: string | null;
}

export interface Media { audio: boolean; video: boolean }
export interface Description { type: "offer" | "answer"; generation: number; sdp: string }
interface Signal { pc: string; generation: number }

/** What a section of a forwarded call carries. */
export type Source = "microphone" | "camera" | "screen" | "screen_audio";
export interface PublishedTrack { mid: string; source: Source }
export interface ForwardedTrack extends PublishedTrack { participant_id: string }
/** How large a picture is shown: `height` in the screen's own pixels, 0 when it is not shown. */
export interface Viewed { participant_id: string; source: "camera" | "screen"; height: number }
/** Whether the network has room for a picture. */
export interface TrackState { type: "track_state"; seq: number; participant_id: string; source: Source; state: "active" | "paused" }

/** What the server of a forwarded call measures of my own connection: loss from 0 to 1, milliseconds, kbit/s. */
export interface Figures {
  loss_up: number | null;
  loss_down: number | null;
  jitter_up: number | null;
  jitter_down: number | null;
  round_trip: number | null;
  bitrate_up: number;
  bitrate_down: number;
  sending: { source: Source; layers: number }[];
  receiving: { participant_id: string; source: Source; layer: number; layers: number }[];
}
/** Scores that changed, from 1 to 5, and what is for me alone. */
export interface QualityTold { type: "quality"; seq: number; scores: { participant_id: string; score: number }[]; own: Figures | null }
/** Somebody silenced something of mine. */
export interface Muted { type: "muted"; seq: number; source: Source; by: string }

export type HeardDescription = Description & Signal & { seq: number; from: string | null; tracks?: ForwardedTrack[] };
export type HeardCandidate = { type: "candidate"; seq: number; from: string | null; candidate: CandidateLine | null } & Signal;

export type Said =
  | ({ type: "hello"; version: 1; ticket: string; media: Media })
  | ({ type: "hello"; version: 1; resume: { token: string; last_seq: number }; media: Media })
  | (Description & Signal & { to: string | null; tracks?: PublishedTrack[] })
  | ({ type: "candidate"; to: string | null; candidate: CandidateLine | null } & Signal)
  | ({ type: "restart"; pc: "subscribe"; generation: number })
  | { type: "forward" }
  | { type: "record"; agree: boolean; question?: number }
  | { type: "view"; tracks: Viewed[] }
  | ({ type: "media" } & Media)
  | { type: "mute"; participant_id: string; source: Source }
  | { type: "leave" }
  | { type: "ping" };

/** Whether the call is recorded, who has agreed to it, the first of them first, and how often somebody has asked. */
export interface RecordingNow { state: "unavailable" | "off" | "asked" | "on"; agreed: string[]; question: number }

export interface Welcome {
  type: "welcome";
  seq: number;
  version: number;
  call_id: string;
  participant_id: string;
  resume_token: string;
  resumed: boolean;
  topology: "direct" | "forwarded";
  heartbeat_seconds: number;
  grace_seconds: number;
  recording: RecordingNow;
  participants: Participant[];
}

export type Heard =
  | Welcome
  | { type: "participant_joined"; seq: number; participant: Participant }
  | { type: "participant_left"; seq: number; participant_id: string; reason: string }
  | ({ type: "participant_media"; seq: number; participant_id: string } & Media)
  | { type: "participant_connection"; seq: number; participant_id: string; state: "online" | "reconnecting" }
  | HeardDescription
  | HeardCandidate
  | TrackState
  | QualityTold
  | Muted
  | ({ type: "recording"; seq: number } & RecordingNow)
  | { type: "promoted"; seq: number; topology: "forwarded" }
  | { type: "speakers"; seq: number; participant_ids: string[] }
  | { type: "error"; seq: number; code: string; detail: string; about: string | null }
  | { type: "ended"; seq: number; reason: string }
  | { type: "pong" };

/** What `POST /v1/meetings/{meeting_id}/ticket` gives. */
export interface Grant {
  ticket: string;
  expires_at: string;
  call_id: string;
  socket_url: string;
  ice_servers: { urls: string[]; username?: string | null; credential?: string | null }[];
  ice_policy: "all" | "relay";
  /** What I may do in the call; "moderate": silence others. */
  permissions?: ("publish" | "subscribe" | "moderate")[];
  topology: "direct" | "forwarded";
}
