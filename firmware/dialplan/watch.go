package dialplan

import "github.com/pronto-pbx/pronto/firmware/tel"

// Watch is what the lamp of a phone's key shows that was programmed with a number.
type Watch struct {
	Kind   WatchKind
	Number tel.Number  // of the extension or the slot
	Agent  tel.AgentID // whose extension or setting it is
	Hours  string
	On     bool // of a setting: the lamp is lit
}

// WatchKind is the sort of thing that a key watches.
type WatchKind string

// What keys can watch.
const (
	WatchNothing   WatchKind = ""
	WatchExtension WatchKind = "extension" // the calls of an extension
	WatchSlot      WatchKind = "slot"      // a parked call
	WatchDND       WatchKind = "dnd"       // of who uses the phone
	WatchForward   WatchKind = "forward"   // likewise
	WatchOut       WatchKind = "out"       // whether who uses the phone is out of a queue
	WatchHours     WatchKind = "hours"     // whether the table is forced into the code's state
)

// Watched says what a key of a phone watches: a number, a slot, or the state that a code sets.
func (p Plan) Watched(dev tel.DeviceID, n tel.Number) Watch {
	if to, ok := p.internal(n); ok {
		switch to.Kind {
		case "slot":
			return Watch{Kind: WatchSlot, Number: n}
		case "ext":
			x, _ := p.extension(n)
			return Watch{Kind: WatchExtension, Number: n, Agent: x.Agent}
		}
		return Watch{}
	}
	for _, c := range p.codes() {
		own := len(n) >= len(c.Code) && n[:len(c.Code)] == c.Code
		change := settings[c.Action]
		if !own || c.Code == "" {
			continue
		}
		rest := string(n[len(c.Code):])
		x, _ := p.At(dev)
		_, queue := p.queueAt(tel.Number(rest))
		switch {
		case c.Action == LeaveQueue && queue && x.Agent != "":
			return Watch{Kind: WatchOut, Agent: x.Agent}
		case change.Kind == DND && rest == "" && x.Agent != "":
			return Watch{Kind: WatchDND, Agent: x.Agent, On: p.Personal.People[x.Agent].DND == change.On}
		case change.Kind == Forward && change.When == Always && x.Agent != "":
			return Watch{Kind: WatchForward, Agent: x.Agent, On: (p.forwards(x).Always != "") == change.On}
		case change.Kind == ForceHours && HoursBehind.fits(rest):
			if h, ok := p.hoursByKey(rest); ok {
				return Watch{Kind: WatchHours, Hours: h.ID, On: p.Personal.Hours[h.ID] == change.Override}
			}
		}
	}
	return Watch{}
}
