package books

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Account is that of one queue since the box began to count.
type Account struct {
	Opening int                      // who waited when the count began
	Entered int                      // places given since
	Left    map[tel.QueueOutcome]int // places that ended since, by how
	Refused int                      // callers who were never given a place
	Waiting int                      // who waits now, counted one by one
}

// Ended counts the places that ended.
func (a Account) Ended() (n int) {
	for _, waits := range a.Left {
		n += waits
	}
	return n
}

// Difference is how many callers wait beyond those whom the account knows of: 0 when it balances, less when
// a caller went without an outcome, more when one has two.
func (a Account) Difference() int { return a.Waiting - (a.Opening + a.Entered - a.Ended()) }

// Accounts are those of all queues. The zero value is empty.
type Accounts struct {
	queues map[tel.QueueID]*Account
}

func (s *Accounts) of(queue tel.QueueID) *Account {
	if s.queues == nil {
		s.queues = map[tel.QueueID]*Account{}
	}
	a := s.queues[queue]
	if a == nil {
		a = &Account{Left: map[tel.QueueOutcome]int{}}
		s.queues[queue] = a
	}
	return a
}

// Open begins the account of a queue in which some wait already, as after a restart.
func (s *Accounts) Open(queue tel.QueueID, waiting int) { s.of(queue).Opening = waiting }

// Take counts what the queues decided; events of other kinds change nothing.
func (s *Accounts) Take(e tel.Event) {
	switch e := e.(type) {
	case tel.QueueJoined:
		s.of(e.Queue).Entered++
	case tel.QueueLeft:
		if e.Outcome == tel.OutcomeRefused {
			s.of(e.Queue).Refused++
			return
		}
		s.of(e.Queue).Left[e.Outcome]++
	}
}

// Balance compares the accounts with who waits at the same instant, and returns every breach by queue.
func (s *Accounts) Balance(waiting map[tel.QueueID]int) (all []Breach) {
	for queue := range waiting {
		s.of(queue)
	}
	for _, queue := range slices.Sorted(maps.Keys(s.queues)) {
		a := *s.queues[queue]
		a.Waiting = waiting[queue]
		if by := a.Difference(); by != 0 {
			all = append(all, Breach{Queue: queue, Figure: FigureWaiting, Have: a.Waiting, Want: a.Waiting - by})
		}
	}
	return all
}

// Look copies the accounts, with who waits.
func (s *Accounts) Look(waiting map[tel.QueueID]int) map[tel.QueueID]Account {
	all := map[tel.QueueID]Account{}
	for queue, a := range s.queues {
		c := *a
		c.Left, c.Waiting = maps.Clone(a.Left), waiting[queue]
		all[queue] = c
	}
	return all
}

// FigureWaiting is the figure of a breach in which callers wait who should not, or the reverse. Others are
// named by their outcome.
const FigureWaiting = "waiting"

// Breach is a figure that is off.
type Breach struct {
	Queue      tel.QueueID
	Figure     string       // FigureWaiting, or the outcome whose records do not match
	Have, Want int          // what is there, and what the other side of the account makes of it
	Sums       bool         // the records are whole, and the sums that reports are made of differ from them
	Calls      []tel.CallID // whose records are missing or too many, the first few
}

// String says it in English, for the log: which figure of which queue, and by how much.
func (b Breach) String() string {
	switch {
	case b.Figure == FigureWaiting:
		return fmt.Sprintf("queue %s: %d callers wait, by what joined and left it should be %d", b.Queue, b.Have, b.Want)
	case b.Sums:
		return fmt.Sprintf("queue %s, %s: the sums say %d, the records themselves %d", b.Queue, b.Figure, b.Have, b.Want)
	default:
		return fmt.Sprintf("queue %s, %s: %d on record, %d happened %v", b.Queue, b.Figure, b.Have, b.Want, b.Calls)
	}
}
