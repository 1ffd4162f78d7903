package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/durable/powercut"
)

// smallSegments lets a history begin a new segment every few records, which it never does on a box.
const smallSegments = 1 << 10

// onDisk opens a history of small segments on a simulated disk.
func onDisk(d *powercut.Disk, quota int64) (*History, error) {
	h, err := OpenHistory(HistoryConfig{Dir: "/history", Quota: quota, Log: quiet, disk: d, Class: func(kind string) Class {
		if kind == "call_ended" {
			return Finished
		}
		return Statistic
	}})
	if err == nil {
		h.mu.Lock()
		h.cfg.SegmentSize = smallSegments
		h.mu.Unlock()
	}
	return h, err
}

func body(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("r", n*37%400)) }

// busy writes finished records from one number on, each acknowledged, with statistics between them, and notes on the
// disk what was acknowledged.
func busy(t *testing.T, d *powercut.Disk, h *History, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if n%3 == 0 {
			if _, err := h.Append("statistic", []byte(body(n))); err != nil && !errors.Is(err, ErrQuota) {
				t.Fatal(err)
			}
		}
		if _, err := h.AppendUrgent("call_ended", []byte(body(n))); err != nil {
			t.Fatal(err)
		}
		d.Note(n)
	}
}

// finished returns the finished records of a history, and fails when one is not what was written or out of order.
func finished(t *testing.T, name string, h *History) (all []int) {
	t.Helper()
	last := Pos(0)
	err := h.Read(0, func(r Record) error {
		var n int
		if _, err := fmt.Sscanf(string(r.Body), "%d ", &n); err != nil || string(r.Body) != body(n) {
			t.Fatalf("%s: a record that nobody wrote: %q", name, r.Body)
		}
		if r.Pos <= last {
			t.Fatalf("%s: position %d after %d", name, r.Pos, last)
		}
		if last = r.Pos; r.Kind == "call_ended" {
			all = append(all, n)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return all
}

// judge opens what a power cut left: it must open, hold every acknowledged record once and in order, and take more.
func judge(t *testing.T, c powercut.Cut) *History {
	t.Helper()
	h, err := onDisk(c.Disk, 0)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	all := finished(t, c.Name, h)
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Fatalf("%s: finished records in this order: %v", c.Name, all)
	}
	for _, n := range c.Notes {
		if _, ok := slices.BinarySearch(all, n); !ok {
			t.Fatalf("%s: record %d was acknowledged and is lost; there are %v", c.Name, n, all)
		}
	}
	return h
}

// A power cut at every write, with every mixture of what had arrived on the disk: nothing that was acknowledged is
// lost, the box always starts, and what it writes then is not lost either.
func TestNoPowerCutLosesAnAcknowledgedRecord(t *testing.T) {
	disk := powercut.New()
	h, err := onDisk(disk, 0)
	if err != nil {
		t.Fatal(err)
	}
	busy(t, disk, h, 0, 20)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if h.Status().Segments < 4 {
		t.Fatalf("%d segments: the test proves nothing about their beginnings", h.Status().Segments)
	}
	cuts, again := 0, 0
	for c := range disk.Cuts() {
		cuts++
		h := judge(t, c)
		if cuts%401 != 0 {
			_ = h.Close()
			continue
		}
		// The power returns, more happens, and it goes again.
		for _, n := range c.Notes {
			c.Disk.Note(n)
		}
		busy(t, c.Disk, h, 100, 104)
		_ = h.Close()
		for second := range c.Disk.Cuts() {
			if len(second.Notes) < len(c.Notes) {
				continue // before the first notes were made again
			}
			again++
			second.Name = c.Name + ", then " + second.Name
			_ = judge(t, second).Close()
		}
	}
	t.Logf("%d power cuts and %d second ones", cuts, again)
	if cuts < 800 || again < 400 {
		t.Errorf("only %d power cuts and %d second ones were tried", cuts, again)
	}
}

// The same while the oldest segments are rewritten without their statistics because the quota is reached.
func TestNoPowerCutWhileRoomIsMadeLosesAnAcknowledgedRecord(t *testing.T) {
	disk := powercut.New()
	h, err := onDisk(disk, 4<<10)
	if err != nil {
		t.Fatal(err)
	}
	busy(t, disk, h, 0, 20)
	_ = h.Close()
	if st := h.Status(); st.Thinned == 0 {
		t.Fatal("nothing was thinned: the test proves nothing")
	}
	cuts := 0
	for c := range disk.Cuts() {
		cuts++
		_ = judge(t, c).Close()
	}
	if t.Logf("%d power cuts", cuts); cuts < 800 {
		t.Errorf("only %d power cuts were tried", cuts)
	}
}
