package dialplan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Validate returns every fault of the plan at once, or nil. queues lists the queues that exist.
func (p Plan) Validate(queues []tel.QueueID) error {
	v := validator{plan: p, queues: queues, numbers: map[tel.Number]string{}}
	v.extensions()
	v.queueNumbers()
	v.features()
	v.hours()
	v.ways()
	v.inbound()
	return errors.Join(v.errs...)
}

type validator struct {
	plan    Plan
	queues  []tel.QueueID
	numbers map[tel.Number]string // internal numbers and where they are defined
	errs    []error
}

func (v *validator) bad(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

// number claims an internal number.
func (v *validator) number(at string, n tel.Number) {
	if parsed, err := tel.ParseNumber(string(n)); err != nil || parsed != n || strings.HasPrefix(string(n), "+") {
		v.bad("%s: %q cannot be dialled", at, n)
		return
	}
	if e, ok := v.plan.emergency(n); ok {
		v.bad("%s: %s would hide the emergency number %s", at, n, e)
	}
	if other, taken := v.numbers[n]; taken {
		v.bad("%s: %s is already taken by %s", at, n, other)
	}
	v.numbers[n] = at
}

func (v *validator) extensions() {
	owner := map[tel.DeviceID]string{}
	for i, x := range v.plan.Extensions {
		at := fmt.Sprintf("extensions[%d]", i)
		v.number(at+".number", x.Number)
		for _, d := range x.Devices {
			if other, taken := owner[d]; taken {
				v.bad("%s.devices: %q already belongs to %s", at, d, other)
			}
			owner[d] = at
		}
		for _, c := range x.Allow {
			if !slices.Contains([]Class{Internal, Local, Mobile, International, Premium}, c) {
				v.bad("%s.allow: unknown class %q", at, c)
			}
		}
	}
}

func (v *validator) queueNumbers() {
	for i, q := range v.plan.Queues {
		at := fmt.Sprintf("queues[%d]", i)
		if !slices.Contains(v.queues, q.Queue) {
			v.bad("%s: no queue %q", at, q.Queue)
		}
		v.number(at+".number", q.Number)
	}
}

func (v *validator) features() {
	for i, f := range v.plan.features() {
		at := fmt.Sprintf("features[%d]", i)
		if !strings.HasPrefix(string(f.Code), "*") && !strings.HasPrefix(string(f.Code), "#") {
			v.bad("%s.code: %q does not begin with * or #", at, f.Code)
		}
		v.number(at+".code", f.Code)
		switch f.Action {
		case Echo, Login, Logout, Pause, Resume, FinishWrapUp:
		default:
			v.bad("%s.action: %q is no feature", at, f.Action)
		}
	}
}

func (v *validator) hours() {
	seen := map[string]bool{}
	for i, h := range v.plan.Hours {
		at := fmt.Sprintf("hours[%d]", i)
		if h.Name == "" || seen[h.Name] {
			v.bad("%s: name %q is empty or taken", at, h.Name)
		}
		seen[h.Name] = true
		for j, s := range h.Open {
			if s.From < 0 || s.From >= 24*time.Hour || s.To < 0 || s.To > 24*time.Hour {
				v.bad("%s.open[%d]: %v to %v is not within a day", at, j, s.From, s.To)
			}
			for _, d := range s.Days {
				if d < time.Sunday || d > time.Saturday {
					v.bad("%s.open[%d]: no weekday %d", at, j, d)
				}
			}
		}
	}
}

func (v *validator) ways() {
	known := map[string]bool{}
	for i, o := range v.plan.Outlets {
		if !isVia(o.Via) || known[o.Via] {
			v.bad("outlets[%d]: %q is no trunk or line, or is there twice", i, o.Via)
		}
		known[o.Via] = true
	}
	for i, r := range v.plan.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		if len(r.Via) == 0 {
			v.bad("%s.via: empty", at)
		}
		for _, via := range r.Via {
			if !known[via] {
				v.bad("%s.via: no trunk or line %q", at, via)
			}
		}
		if r.Form != "" && r.Form != National && r.Form != E164 {
			v.bad("%s.form: unknown form %q", at, r.Form)
		}
		if r.Strip < 0 {
			v.bad("%s.strip: negative", at)
		}
	}
}

func isVia(s string) bool {
	kind, name, _ := strings.Cut(s, ":")
	return (kind == "trunk" || kind == "line") && name != ""
}

func (v *validator) inbound() {
	for i, in := range v.plan.Inbound {
		at := fmt.Sprintf("inbound[%d]", i)
		if !isVia(in.Via) {
			v.bad("%s.via: %q is no trunk or line", at, in.Via)
		}
		v.destination(at+".to", in.To)
		if in.Closed != "" {
			v.destination(at+".closed", in.Closed)
		}
		if in.Hours != "" && !slices.ContainsFunc(v.plan.Hours, func(h Hours) bool { return h.Name == in.Hours }) {
			v.bad("%s.hours: no opening hours %q", at, in.Hours)
		}
	}
}

func (v *validator) destination(at, s string) {
	kind, what, _ := strings.Cut(s, ":")
	if kind == "queue" {
		if !slices.Contains(v.queues, tel.QueueID(what)) {
			v.bad("%s: no queue %q", at, what)
		}
		return
	}
	if d := To(v.plan, s); d.Action == Reject && d.Why != WhyNoPhone {
		v.bad("%s: %q leads nowhere (%s)", at, s, d.Why)
	}
}

// ValidateDestination says why a destination of another part of the configuration, such as a
// queue's overflow, leads nowhere.
func (p Plan) ValidateDestination(s string, queues []tel.QueueID) error {
	v := validator{plan: p, queues: queues}
	v.destination("destination", s)
	return errors.Join(v.errs...)
}
