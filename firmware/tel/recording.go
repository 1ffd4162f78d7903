package tel

import "time"

// Recorded is one part of a call that was recorded: what the legs said from one instant to another. Parts of one
// conversation, through whatever calls it was passed, share a chain.
type Recorded struct {
	ID     string    `json:"id"`
	Chain  string    `json:"chain"`
	Also   []string  `json:"also,omitempty"` // chains of calls that were joined with this one
	Legs   []LegID   `json:"legs"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"`
	Why    string    `json:"why,omitempty"`    // how it ended: parted, call_ended, stopped, opt_out, crashed
	Failed string    `json:"failed,omitempty"` // why some or all of it is not on the disk
}
