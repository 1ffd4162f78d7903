package appliance

import (
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// damageShown is for how long the page tells of records that were rebuilt.
const damageShown = 7 * 24 * time.Hour

// reportDamage tells the page what of the past could not be read and was put aside or rebuilt. An unfinished write
// at the end of a journal is none: every power cut leaves one.
func (b *Box) reportDamage(s store.Status, now time.Time) {
	parts := damaged("calls and registrations", b.hot.Damage())
	parts = append(parts, damaged("history", b.history.Status().Damage)...)
	if s.Damaged > 0 {
		parts = append(parts, fmt.Sprintf("history: %d places that recordd could not read", s.Damaged))
	}
	if age := now.Sub(s.RebuiltAt); s.Rebuilt != "" && age < damageShown && age > -damageShown {
		parts = append(parts, s.Rebuilt)
	}
	b.report("damage", len(parts) == 0, strings.Join(parts, "; "))
}

// damaged words what a journal passed over.
func damaged(of string, all []journal.Damage) (parts []string) {
	for _, d := range all {
		if !d.Tail {
			parts = append(parts, of+": "+d.String())
		}
	}
	return parts
}
