package settings

import (
	"io"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Traces is the page's way to the permission to keep RTP in traces.
type Traces struct {
	// Now is what is permitted, what is kept, and of what it could be.
	Now func() page.RTPTrace
	// Permit begins to keep the RTP of a phone, trunk or line ("phone:201") for one of the spans of Now.
	Permit func(of string, span time.Duration, why string, by By) Refusal
	// Stop ends that before its time; what is kept stays for a day.
	Stop func(By)
	// Delete deletes what is kept.
	Delete func(By)
	// Has reports whether RTP of a call is kept.
	Has func(tel.CallID) bool
	// Capture writes the SIP messages and the RTP of a call as a pcapng file; false, and nothing is written, where no
	// RTP of it is kept.
	Capture func(io.Writer, tel.CallID, By) (bool, error)
}
