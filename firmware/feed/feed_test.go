package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(n int) tel.Event { return tel.LampChanged{Lamp: tel.LampID(fmt.Sprint(n))} }

func number(t *testing.T, i Item) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(string(i.Event.(tel.LampChanged).Lamp), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestASubscriberSeesEveryEventInOrderFromWhereItLeftOff(t *testing.T) {
	f := New(16, nil)
	for n := 1; n <= 10; n++ {
		f.Publish(event(n))
	}
	s := f.Subscribe(4, 16)
	defer s.Close()
	for want := 5; want <= 10; want++ {
		i, err := s.Next(t.Context())
		if err != nil || i.Resync || i.Seq != Seq(want) || number(t, i) != want {
			t.Fatalf("got %+v, %v, want %d", i, err, want)
		}
	}
}

func TestWhoCannotFollowIsResynchronised(t *testing.T) {
	published := 0
	f := New(8, func() any { return published })
	for _, c := range []struct {
		name  string
		after Seq
		buf   int
	}{
		{"the events were overwritten", 0, 8},
		{"the buffer is smaller than the lag", 96, 3},
		{"the number is of another process", 5000, 8},
	} {
		for published < 100 {
			published++
			f.Publish(event(published))
		}
		s := f.Subscribe(c.after, c.buf)
		i, err := s.Next(t.Context())
		if err != nil || !i.Resync || i.Seq != 100 || i.Snapshot != 100 || i.Event != nil {
			t.Fatalf("%s: %+v, %v", c.name, i, err)
		}
		s.Close()
	}
	s := f.Subscribe(f.Last(), 8)
	defer s.Close()
	f.Publish(event(101))
	if i, err := s.Next(t.Context()); err != nil || i.Resync || i.Seq != 101 {
		t.Fatalf("news only: %+v, %v", i, err)
	}
	if _, n := f.Stats(); n != 3 {
		t.Fatalf("%d resyncs counted", n)
	}
}

func TestASlowSubscriberDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(64, nil)
		slow := f.Subscribe(0, 64)
		defer slow.Close()
		quick := f.Subscribe(0, 64)
		got := make(chan int)
		go func() {
			n := 0
			for {
				if _, err := quick.Next(context.Background()); err != nil {
					got <- n
					return
				}
				n++
			}
		}()
		start := time.Now()
		for n := range 1000 {
			f.Publish(event(n))
			synctest.Wait()
		}
		if time.Since(start) != 0 {
			t.Fatal("publishing took time")
		}
		quick.Close()
		if n := <-got; n != 1000 {
			t.Fatalf("the quick one got %d of 1000", n)
		}
		if i, err := slow.Next(t.Context()); err != nil || !i.Resync {
			t.Fatalf("the slow one got %+v, %v", i, err)
		}
	})
}

func TestClosingEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(4, nil)
		a, b := f.Subscribe(0, 4), f.Subscribe(0, 4)
		errs := make(chan error, 3)
		for _, s := range []*Subscription{a, b} {
			go func() { _, err := s.Next(context.Background()); errs <- err }()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := f.Subscribe(0, 4)
		if _, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("timeout: %v", err)
		}
		a.Close()
		a.Close()
		f.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Fatalf("got %v", err)
			}
		}
		f.Publish(event(1))
		if _, err := f.Subscribe(0, 4).Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatalf("a closed feed took a subscriber: %v", err)
		}
	})
}

func TestManyPublishersAndSubscribersAtOnceLoseNoOrder(t *testing.T) {
	f := New(1024, func() any { return nil })
	var pubs, subs sync.WaitGroup
	for range 8 {
		s := f.Subscribe(0, 256)
		subs.Go(func() {
			last := Seq(0)
			seen := map[tel.LampID]int{}
			for {
				i, err := s.Next(context.Background())
				if err != nil {
					return
				}
				if i.Resync {
					if i.Seq < last {
						t.Errorf("resync to %d after %d", i.Seq, last)
					}
					last = i.Seq
					continue
				}
				if i.Seq != last+1 {
					t.Errorf("%d follows %d", i.Seq, last)
				}
				last = i.Seq
				e := i.Event.(tel.LampChanged)
				if n := e.At.Nanosecond(); n <= seen[e.Lamp] && seen[e.Lamp] != 0 {
					t.Errorf("publisher %s: %d after %d", e.Lamp, n, seen[e.Lamp])
				} else {
					seen[e.Lamp] = n
				}
			}
		})
	}
	for p := range 4 {
		pubs.Go(func() {
			for n := 1; n <= 5000; n++ {
				f.Publish(tel.LampChanged{Lamp: tel.LampID(fmt.Sprint(p)), At: time.Unix(0, int64(n))})
			}
		})
	}
	pubs.Wait()
	if f.Last() != 20000 {
		t.Fatalf("last is %d", f.Last())
	}
	f.Close()
	subs.Wait()
}

func BenchmarkPublishToTenSubscribers(b *testing.B) {
	f := New(1024, nil)
	for range 10 {
		f.Subscribe(0, 1024)
	}
	e := event(1)
	b.ReportAllocs()
	for b.Loop() {
		f.Publish(e)
	}
}

func TestResyncGivesEverySubscriberTheSnapshotNext(t *testing.T) {
	f := New(8, func() any { return "today" })
	one, two := f.Subscribe(f.Last(), 4), f.Subscribe(f.Last(), 4)
	f.Resync()
	for _, s := range []*Subscription{one, two} {
		if item, err := s.Next(t.Context()); err != nil || !item.Resync || item.Snapshot != "today" {
			t.Errorf("%+v %v", item, err)
		}
	}
	f.Publish(tel.FiguresChanged{Calls: 1})
	if item, err := one.Next(t.Context()); err != nil || item.Resync {
		t.Errorf("after it the stream goes on: %+v %v", item, err)
	}
}
