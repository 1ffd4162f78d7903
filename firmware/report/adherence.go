package report

import "time"

// Adherence is how far somebody worked when it was planned: of the planned time, what was spent on duty, pauses
// included. Duty outside of the plan does not make up for an absence, so each half hour counts alone: time beyond the
// plan of one is not taken for another.
type Adherence struct {
	Planned time.Duration `json:"planned,omitempty"`
	Kept    time.Duration `json:"kept,omitempty"` // of Planned, spent on duty
}

// Take counts one half hour, or less: what was planned of it, and how much of it was duty.
func (a *Adherence) Take(planned, duty time.Duration) {
	planned = max(0, planned)
	a.Planned += planned
	a.Kept += min(planned, max(0, duty))
}

// Add makes a the sum of both.
func (a *Adherence) Add(o Adherence) {
	a.Planned += o.Planned
	a.Kept += o.Kept
}

// Share is between 0 and 1; known is false where nothing was planned.
func (a Adherence) Share() (share float64, known bool) {
	if a.Planned <= 0 {
		return 0, false
	}
	return float64(a.Kept) / float64(a.Planned), true
}
