package appliance

import (
	"fmt"
	"time"
)

// clockDoubted is by how much the wall clock may be ahead of the ages before the page asks somebody to look at it: a
// shop is closed for some weeks.
const clockDoubted = 45 * 24 * time.Hour

// reportAges tells the page of a clock that has jumped by so much that nothing is deleted for its age.
func (b *Box) reportAges() {
	doubt := b.ages.Doubt()
	text := ""
	if doubt > clockDoubted {
		text = fmt.Sprintf("the clock is %d days ahead of what the box has seen pass", doubt/(24*time.Hour))
	}
	b.report("clock", text == "", text)
}
