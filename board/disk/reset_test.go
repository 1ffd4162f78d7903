package disk

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/layout"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const secret = "the owner's own secret"

// blankCard is a card made of plain files: a disk for the plate, and a partition that holds a secret here and there.
func blankCard(t *testing.T) Card {
	t.Helper()
	m := newMachine(t)
	c := Card{Disk: filepath.Join(m.dev, "card"), Data: filepath.Join(m.dev, "data")}
	m.write(c.Disk, "")
	if err := os.Truncate(c.Disk, layout.Align); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, layout.DataSize+3*512)
	for _, at := range []int{0, 17 << 20, len(data) - len(secret)} {
		copy(data[at:], secret)
	}
	m.write(c.Data, string(data))
	return c
}

// office is a directory as data that was in use.
func office(t *testing.T) string {
	m := machine{t: t}
	dir := t.TempDir()
	for _, name := range []string{"box.json", "pronto/label.json", "pronto/access.json", "records/1"} {
		m.write(filepath.Join(dir, name), name)
	}
	return dir
}

// seed is what Sow writes: a file system of the size of an image's, or of another.
func seed(t *testing.T, size int64) io.Reader {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.Copy(w, io.MultiReader(strings.NewReader("new file system"), io.LimitReader(zero{}, size-15))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &packed
}

type zero struct{}

func (zero) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestAFactoryResetKeepsWhoTheBoxIsAndLeavesNoByteOfItsOwner(t *testing.T) {
	c, dir := blankCard(t), office(t)
	if by, asked, err := ResetAsked(dir); asked || err != nil {
		t.Fatalf("without being asked: %q, %v", by, err)
	}
	if err := AskReset(dir, ByPage); err != nil {
		t.Fatal(err)
	}
	by, asked, err := ResetAsked(dir)
	if !asked || by != ByPage || err != nil {
		t.Fatalf("%q, %v, %v", by, asked, err)
	}
	if err := Condemn(c, dir, by, noon); err != nil {
		t.Fatal(err)
	}
	p, ok := Condemned(c)
	if !ok {
		t.Fatal("the plate does not say that the data is to go")
	}
	done := int64(0)
	if err := Renew(c, seed(t, layout.DataSize), func(n, of int64) {
		if n <= done || n > of {
			t.Errorf("progress %d of %d after %d", n, of, done)
		}
		done = n
	}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.Data)
	if err != nil || done != int64(len(b)) || !bytes.HasPrefix(b, []byte("new file system")) {
		t.Errorf("%d of %d bytes erased, begins with %q, %v", done, len(b), b[:20], err)
	}
	if at := bytes.Index(b, []byte(secret)); at >= 0 {
		t.Errorf("the secret lies at %d still", at)
	}
	if left := bytes.Trim(b[15:], "\x00"); len(left) > 0 {
		t.Errorf("%d bytes are not blank", len(left))
	}
	fresh := t.TempDir()
	if err := Reprieve(c, fresh, p); err != nil {
		t.Fatal(err)
	}
	if got := files(t, fresh); !slices.Equal(got, []string{"box.json", "pronto/label.json"}) {
		t.Errorf("the new data holds %q", got)
	}
	if p, again := Condemned(c); again || len(p.Resets) != 1 || p.Resets[0] != (ResetNote{noon, ByPage}) {
		t.Errorf("the plate says %+v", p)
	}
}

func TestAMarkThatNobodySignedIsOfWhoeverHadTheCard(t *testing.T) {
	dir := office(t)
	machine{t: t}.write(filepath.Join(dir, ResetMark), "\xffsomebody\n")
	if by, asked, err := ResetAsked(dir); by != ByCard || !asked || err != nil {
		t.Errorf("%q, %v, %v", by, asked, err)
	}
}

func TestAnErasureThatAPowerCutEndedGoesOn(t *testing.T) {
	c := blankCard(t)
	if err := Condemn(c, office(t), "stick", noon); err != nil {
		t.Fatal(err)
	}
	// The power goes in the middle, and what is left of the data says nothing any more.
	if err := Sow(c.Data, bytes.NewReader([]byte("half"))); err == nil {
		t.Error("half of a seed is taken")
	}
	p, ok := Condemned(c)
	if !ok || string(p.Files["pronto/label.json"]) != "pronto/label.json" {
		t.Fatalf("after the cut: %+v, %v", p, ok)
	}
	if err := Renew(c, seed(t, layout.DataSize), func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if err := Sow(c.Data, seed(t, layout.DataSize-1)); !errors.Is(err, errSeed) {
		t.Errorf("a seed of another size: %v", err)
	}
}

func TestDataThatCannotBeMountedCanBeErasedToo(t *testing.T) {
	c := blankCard(t)
	if err := Engrave(c, office(t)); err != nil { // in better times
		t.Fatal(err)
	}
	if err := Condemn(c, "", "stick", noon); err != nil {
		t.Fatal(err)
	}
	if p, ok := Condemned(c); !ok || string(p.Files["box.json"]) != "box.json" {
		t.Errorf("%+v, %v", p, ok)
	}
}

func TestThePlateFollowsTheDataAndGivesBackWhatItLost(t *testing.T) {
	c, dir := blankCard(t), office(t)
	m := machine{t: t}
	if _, err := ReadPlate(c); !errors.Is(err, ErrNoPlate) {
		t.Fatalf("a new card has a plate: %v", err)
	}
	m.write(filepath.Join(dir, "box.json"), "another id") // as mkimage personalise does
	if err := Engrave(c, dir); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadPlate(c); err != nil || string(p.Files["box.json"]) != "another id" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.Remove(filepath.Join(dir, "box.json")); err != nil {
		t.Fatal(err)
	}
	if err := Engrave(c, dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "box.json")); err != nil || string(b) != "another id" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestOneOfTwoTornCopiesOfThePlateIsEnough(t *testing.T) {
	c := blankCard(t)
	if err := Engrave(c, office(t)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(c.Disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, want := range []error{nil, ErrNoPlate} {
		if _, err := f.WriteAt([]byte("torn"), layout.Plates[i]+40); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPlate(c); !errors.Is(err, want) {
			t.Errorf("with %d torn copies: %v, want %v", i+1, err, want)
		}
	}
}

func TestAPlateRemembersTheLastResetsAndIsNeverTooLong(t *testing.T) {
	c := blankCard(t)
	for i := range 12 {
		if err := Condemn(c, "", strings.Repeat("x", i), noon.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := ReadPlate(c); err != nil || len(p.Resets) != keptNotes || p.Resets[keptNotes-1].By != strings.Repeat("x", 11) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := (Plate{Files: map[string][]byte{"box.json": make([]byte, layout.PlateSize)}}).Encode(); err == nil {
		t.Error("a plate that is longer than its place")
	}
}

func FuzzDecodePlate(f *testing.F) {
	b, err := Plate{Files: map[string][]byte{"box.json": []byte("{}")}, Erasing: true, Resets: []ResetNote{{noon, "page"}}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:300])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePlate(b)
		for name := range p.Files {
			if err != nil || !slices.Contains(kept, name) {
				t.Fatalf("%q, %v", name, err)
			}
		}
	})
}
