/** What travels on the events socket and in a sync (docs/protocol.md). */

export interface EventMessage {
  type: "event";
  stream: string;
  epoch: string;
  seq: number;
  kind: string;
  data: Record<string, any>;
}

export type StreamKind = "account" | "membership" | "conversation";
export type PresenceState = "online" | "away" | "offline";

/** A stream that is not where the cursor said. */
export interface StreamFound {
  stream: string;
  kind: StreamKind;
  epoch: string;
  head: number;
  reset: boolean;
  limited: boolean;
  events: EventMessage[];
}

export interface Synced {
  streams: StreamFound[];
  gone: string[];
}

export interface EventsGrant {
  ticket: string;
  expires_at: string;
  socket_url: string;
}

export interface EventsWelcome {
  type: "welcome";
  version: number;
  resume_token: string;
  heartbeat_seconds: number;
  live: boolean;
}

export type EventsHeard =
  | EventsWelcome
  | EventMessage
  | { type: "typing"; stream: string; membership_id: string; typing: boolean }
  | { type: "presence"; membership_id: string; state: PresenceState }
  | { type: "sync" }
  | { type: "live"; live: boolean }
  | { type: "error"; code: string; detail: string; about: string | null };

/** As much of `Api` as the events need. */
export interface Posts {
  post(path: any, options?: any): Promise<any>;
}
