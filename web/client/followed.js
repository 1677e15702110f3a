/**
 * What is read by REST, and the kinds of events after which it may read otherwise. `Conversations` and `History` follow
 * what is said by themselves; searches and single people of others are read when somebody opens them.
 */

export const FOLLOWED = {
  "/v1/me": ["account.changed", "membership.changed"],
  "/v1/reminder-preferences": ["account.changed"],
  "/v1/blocks": ["blocks.changed"],
  "/v1/schedules": ["availability.changed"],
  "/v1/schedules/{schedule_id}": ["availability.changed"],
  "/v1/absences": ["availability.changed"],
  // One's own, and changed by oneself only.
  "/v1/calendar-feed": ["account.changed"],
  "/v1/pairings/{pairing_id}/slots": ["meeting.changed", "pairing.changed", "availability.changed"],
  "/v1/imported-calendars": ["imported_calendar.changed"],
  "/v1/pairings": ["pairing.changed", "membership.changed"],
  "/v1/pairings/{pairing_id}": ["pairing.changed", "membership.changed"],
  "/v1/pairings/{pairing_id}/meetings": ["meeting.changed", "pairing.changed"],
  "/v1/pairings/{pairing_id}/series": ["series.changed", "pairing.changed"],
  "/v1/series/{series_id}": ["series.changed", "pairing.changed"],
  "/v1/meetings": ["meeting.changed", "pairing.changed"],
  "/v1/meetings/{meeting_id}": ["meeting.changed", "pairing.changed"],
  "/v1/meetings/{meeting_id}/history": ["meeting.changed", "pairing.changed"],
  "/v1/meetings/{meeting_id}/attendance": ["call.changed", "pairing.changed"],
  "/v1/meetings/{meeting_id}/replies": ["meeting.replied", "meeting.changed", "pairing.changed"],
  "/v1/meetings/{meeting_id}/recordings": ["call.changed", "pairing.changed"],
  // With roles come and go what coordinators see. Members come by invitation; of others' profiles nobody is told.
  "/v1/organisations/{organisation_id}/memberships": ["membership.changed", "invitation.changed"],
  "/v1/organisations/{organisation_id}/invitations": ["membership.changed", "invitation.changed"],
  "/v1/organisations/{organisation_id}/partnerships": ["membership.changed", "partnership.changed"],
  "/v1/organisations/{organisation_id}/reports": ["membership.changed", "report.changed"],
};

/** @typedef {keyof typeof FOLLOWED} Followed */

/** Whoever belongs to one organisation more, or again, sees more of everything. */
const ALWAYS = "memberships.changed";

/**
 * The kinds of events after which to read these again.
 * @param {Followed[]} paths
 */
export function kindsFor(paths) {
  return [...new Set([ALWAYS, ...paths.flatMap((path) => FOLLOWED[path])])];
}
