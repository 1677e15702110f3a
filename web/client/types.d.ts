/** How `openapi.yaml` becomes the arguments and results of `Api`, and short names for what travels. */
import type { components, paths } from "../types/generated/api.js";

export type MethodOf = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Verb = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have an operation for this verb. */
export type PathOf<V extends Verb> = {
  [P in keyof paths]: paths[P] extends { [K in V]: { responses: unknown } } ? P : never;
}[keyof paths] & string;

type Operation<P extends keyof paths, V extends Verb> = paths[P] extends { [K in V]: infer O } ? O : never;
type Part<T, K extends string> = T extends { [Q in K]: infer R } ? R : T extends { [Q in K]?: infer R } ? R : undefined;
type Parameters<O> = Part<O, "parameters">;
type Body<O> = Part<O, "requestBody"> extends infer B
  ? B extends { content: { "application/json": infer J } } ? J : undefined
  : undefined;

export interface Options<P extends keyof paths, V extends Verb> {
  path?: Part<Parameters<Operation<P, V>>, "path">;
  query?: Part<Parameters<Operation<P, V>>, "query">;
  body?: Body<Operation<P, V>>;
  /** The idempotency key; made for you when absent. Keep it when you offer "try again". */
  key?: string;
  /** The version that was read: if it has changed since, nothing is done (412). */
  match?: number;
  signal?: AbortSignal;
}

type Good<R> = { [S in keyof R]: S extends 200 | 201 | 202 ? R[S] : never }[keyof R];
export type Answer<P extends keyof paths, V extends Verb> =
  Good<Part<Operation<P, V>, "responses">> extends infer G
    ? [G] extends [never] ? undefined
    : G extends { content: { "application/json": infer J } } ? J : undefined
    : never;

type Schemas = components["schemas"];
export type Me = Schemas["Me"];
export type Config = Schemas["ConfigRead"];
export type DemoSignIn = Schemas["DemoSignIn"];
export type Organisation = Schemas["OrganisationBrief"];
export type Membership = Schemas["MembershipRead"];
export type Role = Schemas["Role"];
export type Invitation = Schemas["InvitationRead"];
export type Partnership = Schemas["PartnershipRead"];
export type Person = Schemas["PersonRead"];
export type Pairing = Schemas["PairingRead"];
export type Goal = Schemas["GoalRead"];
export type Meeting = Schemas["MeetingRead"];
export type Happened = Schemas["HappenedRead"];
export type Schedule = Schemas["ScheduleRead"];
export type ScheduleWrite = Schemas["ScheduleWrite"];
export type Absence = Schemas["AbsenceRead"];
export type SlotPage = Schemas["SlotsRead"];
export type ImportedCalendar = Schemas["ImportedCalendarRead"];
export type CalendarFeed = Schemas["CalendarFeedRead"];
export type ReminderPreferences = Schemas["ReminderPreferencesRead"];
export type Series = Schemas["SeriesRead"];
export type Occurrence = Schemas["OccurrenceRead"];
export type RecurrencePreview = Schemas["RecurrencePreview"];
export type Hold = Schemas["HoldRead"];
export type Stay = Schemas["StayRead"];
export type Recording = Schemas["RecordingRead"];
export type RecordingFile = Schemas["RecordingFileRead"];
export type Block = Schemas["BlockRead"];
export type Report = Schemas["ReportRead"];
export type Mail = Schemas["MailRead"];
/** `starts_at` is that of the meeting, where it is one of a meeting; older services do not give it. */
export type ConversationRead = Schemas["ConversationRead"] & { starts_at?: string | null };
export type ConversationPerson = Schemas["ConversationPerson"];
export type Message = Schemas["MessageRead"];
