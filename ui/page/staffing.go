package page

import (
	"fmt"
	"math"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report/staffing"
)

// StaffingFilter is what a plan is for, as it stands in the address of the page.
type StaffingFilter struct {
	Day    string // as 2026-03-02
	Queue  string // id
	Target int    // per cent of the callers
	Within int    // seconds in which they should be answered
}

// Staffing is how many people a queue needs on a day.
type Staffing struct {
	Reader  Reader
	Box     string
	Said    Said
	Filter  StaffingFilter
	Wrong   []Said // what of the filter is none, and was left out
	Queues  []Choice
	Targets []int
	Withins []int
	Holiday string // which one the day is; empty: none
	Plan    staffing.Day
}

// From are the days that the plan is made of, as text.
func (s Staffing) From() (text string) {
	for i, d := range s.Plan.Days {
		if i > 0 {
			text += ", "
		}
		text += d.Format(time.DateOnly)
	}
	return text
}

// Most is how many people are needed in the half hour that needs the most.
func (s Staffing) Most() (n int) {
	for _, x := range s.Plan.Slots {
		n = max(n, x.Agents)
	}
	return n
}

// Rows are the half hours.
func (s Staffing) Rows() (all []StaffingRow) {
	for _, x := range s.Plan.Slots {
		all = append(all, StaffingRow{
			At: x.From.Format("15:04"), Callers: fmt.Sprintf("%.1f", x.Callers), Agents: x.Agents, InTime: whole(x.Then.InTime), Lost: whole(x.Then.Abandoned), Wait: x.Then.Wait, Busy: whole(x.Then.Occupancy),
		})
	}
	return all
}

// StaffingRow is one half hour of a plan.
type StaffingRow struct {
	At, Callers        string
	Agents             int
	InTime, Lost, Busy string
	Wait               time.Duration
}

func whole(share float64) string { return fmt.Sprintf("%d %%", int(math.Round(share*100))) }

// Staffing renders how many people a queue needs.
func (r *Renderer) Staffing(s Staffing, now time.Time) ([]byte, error) {
	return r.shell("staffing.html", "staffing", s.Box, s.Reader, s, now)
}
