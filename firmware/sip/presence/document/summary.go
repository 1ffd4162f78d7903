package document

import "fmt"

// Messages are the counts of a mailbox.
type Messages struct {
	New, Old             int // voice messages, urgent ones included
	UrgentNew, UrgentOld int
}

// Summary is a message summary (RFC 3842 section 5.2). Old phones light their lamp by its first
// line alone.
func Summary(of Watched, m Messages) []byte {
	waiting := "no"
	if m.New > 0 {
		waiting = "yes"
	}
	return fmt.Appendf(nil, "Messages-Waiting: %s\r\nMessage-Account: %s\r\nVoice-Message: %d/%d (%d/%d)\r\n",
		waiting, URI(of.Number, of.Host), m.New, m.Old, m.UrgentNew, m.UrgentOld)
}
