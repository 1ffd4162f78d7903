package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// PutIntervals implements store.Reports.
func (s *Store) PutIntervals(_ context.Context, intervals ...store.Interval) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range intervals {
		s.intervals.put(i, func(store.Interval) bool { return false })
		s.Reported.Committed = max(s.Reported.Committed, i.Pos)
	}
	return nil
}

// ListIntervals implements store.Reports.
func (s *Store) ListIntervals(_ context.Context, q store.IntervalQuery) (store.Page[store.Interval], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.intervals, q.Span, q.Match)
}

// Traffic implements store.Reports by reading every record: what others keep sums for is judged by this.
func (s *Store) Traffic(_ context.Context, q store.ReportQuery) ([]report.TrafficRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := store.TallyTraffic(q)
	if err != nil {
		return nil, err
	}
	s.waits.walk("", "", func(_ string, w store.Wait) bool {
		var t report.Traffic
		t.TakeWait(w.QueueLeft)
		err = table.Take(w.Queue, report.SlotOf(w.Joined), t)
		return err == nil
	})
	s.intervals.walk("", "", func(_ string, i store.Interval) bool {
		for slot, d := range report.Parts(i.AgentInterval) {
			var t report.Traffic
			t.TakeWork(i.State, d)
			if i.Queue != "" && t.Talked+t.Held+t.Wrapped > 0 && err == nil {
				err = table.Take(i.Queue, slot, t)
			}
		}
		return err == nil
	})
	for _, of := range s.contacts() {
		for i, w := range of[:max(0, len(of)-1)] {
			var t report.Traffic
			t.TakeRepeat(report.ContactOf(w), report.ContactOf(of[i+1]), 1)
			if t.Again != (report.Repeats{}) && err == nil {
				err = table.Take(w.Queue, report.SlotOf(w.Joined), t)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.TrafficRow), nil
}

// contacts are the waits of each number in each queue, in the order of their arrival.
func (s *Store) contacts() map[[2]string][]tel.QueueLeft {
	all := map[[2]string][]tel.QueueLeft{}
	s.waits.walk("", "", func(_ string, w store.Wait) bool {
		if w.Caller != "" {
			who := [2]string{string(w.Queue), string(w.Caller)}
			all[who] = append(all[who], w.QueueLeft)
		}
		return true
	})
	for _, of := range all {
		slices.SortFunc(of, func(a, b tel.QueueLeft) int {
			return cmp.Or(report.ContactOf(a).At.Compare(report.ContactOf(b).At), cmp.Compare(a.Call, b.Call))
		})
	}
	return all
}

// Work implements store.Reports by reading every record.
func (s *Store) Work(_ context.Context, q store.ReportQuery) ([]report.WorkRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := store.TallyWork(q)
	if err != nil {
		return nil, err
	}
	s.intervals.walk("", "", func(_ string, i store.Interval) bool {
		for slot, d := range report.Parts(i.AgentInterval) {
			var w report.Work
			w.Take(i.State, d)
			if err == nil {
				err = table.Take(i.Agent, slot, w)
			}
		}
		return err == nil
	})
	s.waits.walk("", "", func(_ string, w store.Wait) bool {
		if w.Outcome == tel.OutcomeAnswered && w.Agent != "" && err == nil {
			err = table.Take(w.Agent, report.SlotOf(w.Left), report.Work{Answered: 1})
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.WorkRow), nil
}

// LineCalls implements store.Reports by reading every record.
func (s *Store) LineCalls(_ context.Context, q store.ReportQuery) ([]report.LineRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := store.TallyLines(q)
	if err != nil {
		return nil, err
	}
	s.calls.walk("", "", func(_ string, c store.Call) bool {
		for _, u := range report.LineUses(c.CallEnded) {
			for slot, part := range report.LineParts(u) {
				if err == nil {
					err = table.Take(u.Line, slot, part)
				}
			}
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.LineRow), nil
}
