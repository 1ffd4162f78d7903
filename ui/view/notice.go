package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// TodoMissed is the ID of the callers who are to be called back: their number is that of Office.Missed.
const TodoMissed = "missed"

// Owe says what the configuration still owes, until it changes.
func (m *Model) Owe(debts []Todo) { m.debts = slices.Clone(debts) }

// mends is the page on which a condition of the box is mended; empty: on none.
func mends(condition string) string {
	switch condition {
	case "lines", "supplies", "line_3g", "line_volte", "sim_credit":
		return "/lines"
	case "setup":
		return "/setup/1"
	case "backup":
		return "/backup"
	case "certificate":
		return "/certificate"
	case "board_hot", "board_power", "board_clock", "board_disk", "board_network":
		return "/board"
	case "update_back", "update_stale", "update_support":
		return "/update"
	case "lamps":
		return "/lamps"
	case "buttons":
		return "/buttons"
	case "config_file", "config_later":
		return "/history"
	case "unstaffed", "alarm_ready":
		return "/people"
	case "sound_phone_network", "sound_carrier", "sound_box":
		return "/calls"
	default:
		return ""
	}
}

// Notice is one condition of the box that does not hold, with the page on which it is mended.
type Notice struct {
	tel.HealthChanged
	Link  string // empty: on none
	Names bool   // Text lists names, or a figure with its unit; otherwise it is English, from the log
}

func noticeOf(h tel.HealthChanged) Notice {
	n := Notice{HealthChanged: h, Link: mends(h.Condition), Names: h.Condition == "unstaffed" || h.Condition == "lamps" || h.Condition == "sound_phone_network" || h.Condition == "sound_carrier" || strings.HasPrefix(h.Condition, "board_") || strings.HasPrefix(h.Condition, "memory_")}
	for _, k := range tel.AlarmKinds() {
		n.Names = n.Names || h.Condition == "alarm_"+string(k)
	}
	return n
}

// Notices are the conditions that do not hold and are not the headline, the worst first. That the set-up is not done is
// said by its debts where there are any, one by one.
func (o Office) Notices() []Notice {
	head := o.Headline()
	listed := slices.ContainsFunc(o.Debts, func(d Todo) bool { return strings.HasPrefix(d.ID, "setup.") })
	var all []Notice
	for _, h := range o.Health {
		if h.Condition == "setup" && listed {
			continue
		}
		if head.Notice == nil || head.Notice.Condition != h.Condition {
			all = append(all, noticeOf(h))
		}
	}
	slices.SortStableFunc(all, func(a, b Notice) int { return cmp.Compare(weight(b.Severity), weight(a.Severity)) })
	return all
}

// Todos are what somebody has still to do, the worst first.
func (o Office) Todos() []Todo {
	all := slices.Clone(o.Debts)
	if len(o.Missed) > 0 {
		all = append(all, Todo{ID: TodoMissed, Link: "/missed", Severity: TodoWarn})
	}
	slices.SortStableFunc(all, func(a, b Todo) int { return cmp.Compare(weight(string(b.Severity)), weight(string(a.Severity))) })
	return all
}

func weight(severity string) int { return slices.Index([]string{"info", "warn", "error"}, severity) }
