package dialplan

import (
	"fmt"
	"slices"
	"strings"
)

// Destination is a place in the house, or outside of it, as the configuration writes it.
type Destination struct {
	Kind string // one of DestinationKinds
	What string // what follows the colon
}

// DestinationKinds are the words before the colon. Echo and hangup have nothing behind them.
func DestinationKinds() []string {
	return []string{"ext", "queue", "group", "menu", "hours", "conference", "voicemail", "outside", "say", "echo", "hangup"}
}

// ParseDestination reads queue:ID, ext:NUMBER, group:ID, menu:ID, hours:ID, conference:ID, voicemail:NUMBER,
// outside:NUMBER, say:PROMPT, echo or hangup. It does not ask whether the place exists.
func ParseDestination(s string) (Destination, error) {
	kind, what, colon := strings.Cut(s, ":")
	alone := kind == "echo" || kind == "hangup"
	if !slices.Contains(DestinationKinds(), kind) || alone == colon || !alone && what == "" {
		return Destination{}, fmt.Errorf("%q is not a destination; write queue:ID, ext:NUMBER, group:ID, menu:ID, hours:ID, conference:ID, "+
			"voicemail:NUMBER, outside:NUMBER, say:PROMPT, echo or hangup", s)
	}
	return Destination{kind, what}, nil
}

// String writes what ParseDestination reads.
func (d Destination) String() string {
	if d.What == "" {
		return d.Kind
	}
	return d.Kind + ":" + d.What
}
