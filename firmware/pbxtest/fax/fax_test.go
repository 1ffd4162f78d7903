package fax

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// Without a box between them two machines of each kind send each other a page: what fails elsewhere is not the judge.
func TestTwoMachinesWithoutABoxBetweenThem(t *testing.T) {
	program := Build(t)
	for _, c := range []struct {
		name string
		talk func(t *testing.T, from, to *Machine)
	}{
		{Audio, func(_ *testing.T, from, to *Machine) {
			var a, b [160]int16
			for range 70 * 50 {
				a, b = from.Hear(b[:]), to.Hear(a[:])
			}
		}},
		{T38, func(t *testing.T, from, to *Machine) {
			var there, back []Message
			for range 70 * 50 {
				there, back = from.Tick(back), to.Tick(there)
			}
			if len(there)+len(back) > 4 {
				t.Error("they have not come to an end")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sent, received := filepath.Join(dir, "sent.tif"), filepath.Join(dir, "received.tif")
			Page(t, sent, 400)
			from, to := program.Start(t, true, c.name, sent), program.Start(t, false, c.name, received)
			c.talk(t, from, to)
			from.Whole()
			to.Whole()
			if !bytes.Equal(program.Points(t, sent), program.Points(t, received)) {
				t.Error("the page is another")
			}
			other := filepath.Join(dir, "other.tif")
			Page(t, other, 399)
			if bytes.Equal(program.Points(t, sent), program.Points(t, other)) {
				t.Error("pages that differ have the same points")
			}
		})
	}
}

func TestAReaderFindsWhatWasLost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var w Writer
	var r Reader
	var got []Message
	const all = 3000
	lost := 0
	for i := range all {
		d := w.Datagram(Message{uint16(i), bytes.Repeat([]byte{byte(i)}, 1+i%300)})
		if random.IntN(3) == 0 && lost < redundancy && i != all-1 {
			lost++
			continue
		}
		lost = 0
		m, err := r.Messages(d)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m...)
		if m, err := r.Messages(d); err != nil || len(m) != 0 {
			t.Fatalf("once more: %v, %v", m, err)
		}
		for n := range d {
			if m, err := new(Reader).Messages(d[:n]); err == nil && i > 0 && len(m) > 0 {
				t.Fatalf("%d of %d bytes are %d messages", n, len(d), len(m))
			}
		}
	}
	if len(got) != all || r.Repaired == 0 || r.Lost != 0 {
		t.Fatalf("%d of %d messages, %+v", len(got), all, r)
	}
	for i, m := range got {
		if m.Seq != uint16(i) || len(m.Data) != 1+i%300 || m.Data[0] != byte(i) {
			t.Fatalf("message %d is %d: %d bytes", i, m.Seq, len(m.Data))
		}
	}
}
