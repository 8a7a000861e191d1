// Instants in milliseconds since 1970, and the days and clocks of a time zone.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
// No zone changes its clock within a quarter of an hour of UTC.
const STEADY = 15 * MINUTE;
const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** Return the instant of an ISO 8601 text with an offset, or NaN for anything else. */
export function instant(text) {
  return typeof text === "string" && ISO.test(text) ? Date.parse(text.replace(" ", "T")) : NaN;
}

/** Return an instant as ISO 8601 in UTC, as the parameters of a run take it. */
export function iso(at) {
  return `${new Date(at).toISOString().slice(0, 19)}+00:00`;
}

export class Zone {
  /** @param {string} name IANA name; UTC stands in for one that this browser does not know */
  constructor(name) {
    this.name = name;
    this.offsets = new Map();
    const fields = { year: "numeric", month: "numeric", day: "numeric" };
    const clock = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" };
    try {
      this.format = new Intl.DateTimeFormat("en-US", { timeZone: name, ...fields, ...clock });
    } catch {
      this.name = "UTC";
    }
    if (this.name === "UTC") this.format = null;
  }

  /** Return what a clock in the zone shows, as if it were UTC. */
  clock(at) {
    return at + this.offset(at);
  }

  /** Return the first instant at which a clock in the zone shows this, or more if it skips it. */
  at(clock) {
    const guesses = [clock - this.offset(clock - DAY), clock - this.offset(clock + DAY)];
    const first = Math.min(...guesses);
    return this.clock(first) >= clock ? first : Math.max(...guesses);
  }

  /** Return the number of the day, counted from 1970-01-01. */
  day(at) {
    return Math.floor(this.clock(at) / DAY);
  }

  startOfDay(day) {
    return this.at(day * DAY);
  }

  offset(at) {
    if (this.format === null) return 0;
    const slot = Math.floor(at / STEADY);
    let offset = this.offsets.get(slot);
    if (offset === undefined) {
      const parts = {};
      for (const { type, value } of this.format.formatToParts(slot * STEADY)) {
        parts[type] = Number(value);
      }
      const { year, month, day, hour, minute, second } = parts;
      offset = Date.UTC(year, month - 1, day, hour, minute, second) - slot * STEADY;
      this.offsets.set(slot, offset);
    }
    return offset;
  }

  /** Return an instant as text, to the minute, or to the second if it has seconds. */
  text(at) {
    const shown = new Date(this.clock(at)).toISOString();
    return `${shown.slice(0, 10)} ${shown.slice(11, at % MINUTE === 0 ? 16 : 19)}`;
  }

  /** Return a window as text, as short as it can be. */
  windowText(start, end) {
    const day = this.day(start);
    const isFromMidnight = this.startOfDay(day) === start;
    if (isFromMidnight && this.startOfDay(day + 1) === end) return this.text(start).slice(0, 10);
    const until = this.day(end) === day ? this.text(end).slice(11) : this.text(end);
    return `${this.text(start)} – ${until}`;
  }
}

/** Return the date of a day's number, such as 2026-11-03. */
export function dateText(day) {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

/** Return the number of a date's day, or null if it is none. */
export function dayNumber(text) {
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(at) ? null : at / DAY;
}

const LONG = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
const longDate = new Intl.DateTimeFormat("en-GB", LONG);
const MONTH = { month: "long", year: "numeric", timeZone: "UTC" };
const monthName = new Intl.DateTimeFormat("en-GB", MONTH);

export const longDateText = (day) => longDate.format(day * DAY);
export const monthText = (day) => monthName.format(day * DAY);
