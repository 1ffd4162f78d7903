package journal

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func sample(pos Pos, kind, key, body string) Record {
	return Record{Pos: pos, Class: Finished, Kind: kind, Key: key, Body: []byte(body), Wall: time.Unix(1700000000, 42), Boot: 9 * time.Second, BootID: BootID{1, 2, 3}}
}

func same(a, b Record) bool {
	return a.Pos == b.Pos && a.Class == b.Class && a.Kind == b.Kind && a.Key == b.Key && bytes.Equal(a.Body, b.Body) &&
		a.Wall.Equal(b.Wall) && a.Boot == b.Boot && a.BootID == b.BootID && a.erase == b.erase
}

func TestARecordIsReadAsWritten(t *testing.T) {
	for _, r := range []Record{
		sample(1, "k", "", ""),
		sample(1<<63, "call_ended", "c1", `{"v":1}`),
		{Pos: 3, Kind: "gone", Key: "x", erase: true, Wall: time.Unix(0, -5)},
		sample(4, string(bytes.Repeat([]byte("k"), MaxKind)), string(bytes.Repeat([]byte("y"), MaxKey)), string(bytes.Repeat([]byte("b"), MaxBody))),
	} {
		b := appendRecord([]byte("before"), 7, &r)[len("before"):]
		got, n, err := decode(b, 7)
		if err != nil || n != len(b) || !same(got, r) {
			t.Fatalf("read %+v (%d bytes, %v), wrote %+v (%d bytes)", got, n, err, r, len(b))
		}
	}
}

func TestARecordOfAnotherSegmentDoesNotCount(t *testing.T) {
	r := sample(1, "k", "", "body")
	b := appendRecord(nil, saltOf(1), &r)
	if _, _, err := decode(b, saltOf(2)); !errors.Is(err, errCorrupt) {
		t.Fatalf("decode with the salt of another segment: %v", err)
	}
}

func TestEveryDamagedByteOfARecordIsNoticed(t *testing.T) {
	r := sample(1, "kind", "key", "some body")
	whole := appendRecord(nil, 7, &r)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if _, _, err := decode(b, 7); err == nil {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
	for i := range whole {
		if _, _, err := decode(whole[:i], 7); err == nil {
			t.Errorf("cut at %d and nobody noticed", i)
		}
	}
}

func TestARecordInsideADamagedBodyIsNotTakenForARealOne(t *testing.T) {
	inner := sample(9, "k", "", "forged")
	outer := sample(2, "k", "", string(appendRecord(nil, saltOf(99), &inner)))
	b := appendRecord(nil, saltOf(1), &outer)
	b[headerSize-1] ^= 1
	seen := 0
	if _, _, err := scan(b, saltOf(1), 0, func(int, int, Record) error { seen++; return nil }); err != nil || seen != 0 {
		t.Fatalf("found %d records, %v", seen, err)
	}
}

func FuzzDecode(f *testing.F) {
	r := sample(5, "kind", "key", "body")
	b := appendRecord(nil, 1, &r)
	f.Add(b, uint32(1))
	f.Add(b[:len(b)-1], uint32(1))
	f.Add([]byte{}, uint32(0))
	f.Add(append(bytes.Repeat([]byte{0x50, 0x4A, 0xFF, 0xF5}, 40), b...), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, salt uint32) {
		r, n, err := decode(b, salt)
		if err == nil {
			if n < headerSize || n > len(b) || !within(r.Kind+"x", r.Key, r.Body) && len(r.Kind) != MaxKind {
				t.Fatalf("record outside the limits: %d bytes, kind %d", n, len(r.Kind))
			}
			again := appendRecord(nil, salt, &r)
			if got, _, err := decode(again, salt); err != nil || !same(got, r) {
				t.Fatalf("does not survive a second round: %v", err)
			}
		}
		last := Pos(0)
		end, skipped, _ := scan(b, salt, 0, func(off, size int, r Record) error {
			if r.Pos <= last || off+size > len(b) {
				t.Fatalf("position %d after %d at %d+%d of %d", r.Pos, last, off, size, len(b))
			}
			last = r.Pos
			return nil
		})
		for _, s := range skipped {
			if s[0] >= s[1] || s[1] > end {
				t.Fatalf("skipped %v of %d", s, end)
			}
		}
	})
}
