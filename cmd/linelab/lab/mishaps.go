package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// ParseMishaps checks "name,name"; the empty list has none, and "all" has every fault that lasts.
func ParseMishaps(list string) ([]string, error) {
	var known, names []string
	for _, f := range gsmsim.Catalogue() {
		if f.Lasts {
			known = append(known, f.Name)
		}
	}
	if list == "all" {
		return known, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		switch {
		case name == "":
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("%q is no mishap; there are %s", name, strings.Join(known, ", "))
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// misfortune lets the mishaps strike in turn.
func (l *lab) misfortune() {
	var never chan struct{}
	for n := 0; l.pause(l.between(20*time.Second, 40*time.Second), never); n++ {
		name := l.cfg.Mishaps[n%len(l.cfg.Mishaps)]
		if l.strike(Line, name, "") != nil {
			continue // it is unplugged already
		}
		l.pause(l.between(20*time.Second, 40*time.Second), never)
		_ = l.heal(Line, name)
	}
}
