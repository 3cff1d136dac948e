// The words for the codes of carewatch itself. Names of teams, areas and outcomes come from the program's profile.

export const STATUS = {
  available: "Available",
  dispatched: "Dispatched",
  en_route: "En route",
  on_scene: "On scene",
  transporting: "Transporting",
  at_destination: "At destination",
  unavailable: "Unavailable",
  off_duty: "Off duty",
};
export const STAGE = {
  waiting: "Waiting",
  dispatched: "Dispatched",
  en_route: "En route",
  on_scene: "On scene",
  transporting: "Transporting",
};
export const RESULT = {
  handled_by_other: "Handled by another service",
  cancelled: "Cancelled",
  outside_area: "Outside the area",
  outside_hours: "Outside the hours",
  no_unit_on_duty: "No unit on duty",
  all_units_busy: "All units busy",
  not_triaged: "Not triaged",
  unknown: "Reason not known",
};
export const INTERVAL = {
  received_to_dispatched: "Received to dispatched",
  received_to_on_scene: "Received to on scene",
  dispatched_to_en_route: "Dispatched to en route",
  en_route_to_on_scene: "En route to on scene",
  on_scene_to_cleared: "On scene to cleared",
  dispatched_to_cleared: "Dispatched to cleared",
};
export const FEED = { dispatch: "Dispatch", status: "Unit status", followup: "Follow-up" };
export const FOLLOWUP = { open: "Open", overdue: "Overdue", missed: "Missed" };
