package mbr

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var card = Table{Disk: 0x50524F4E, Partitions: [4]Partition{
	{FAT32, 8192, 262144}, {FAT32, 270336, 524288}, {FAT32, 794624, 524288}, {Linux, 1318912, 131072},
}}

func TestWhatWasWrittenIsRead(t *testing.T) {
	s := Encode(card)
	got, err := Decode(s[:])
	if err != nil || got != card {
		t.Errorf("read %+v, %v; wrote %+v", got, err, card)
	}
}

func TestAnotherProgramReadsTheTable(t *testing.T) {
	imagetest.Programs(t, "sfdisk")
	disk := filepath.Join(t.TempDir(), "disk")
	s := Encode(card)
	if err := os.WriteFile(disk, s[:], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, (1318912+131072)*Sector); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sfdisk", "--dump", disk).CombinedOutput()
	if err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{
		"label: dos", "label-id: 0x50524f4e", "start= 8192, size= 262144, type=c", "start= 270336, size= 524288, type=c",
		"start= 794624, size= 524288, type=c", "start= 1318912, size= 131072, type=83",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("sfdisk does not say %q:\n%s", want, out)
		}
	}
}

func TestTheLastPartitionGrowsToTheEndOfTheDisk(t *testing.T) {
	for _, tc := range []struct {
		name    string
		sectors uint64
		length  uint32
		grown   bool
	}{
		{"onto a card of 8 GB", 15_523_840, 15_523_840 - 1318912, true},
		{"not on a card that is full", 1318912 + 131072, 131072, false},
		{"not on a card that is too small", 1318912, 131072, false},
		{"up to what a table can address on 4 TB", 8 << 30, math.MaxUint32 - 1318912 + 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, grown := Grown(card, 4, tc.sectors)
			if grown != tc.grown || got.Partitions[3].Length != tc.length {
				t.Errorf("length %d, %v; want %d, %v", got.Partitions[3].Length, grown, tc.length, tc.grown)
			}
			if grown {
				if again, more := Grown(got, 4, tc.sectors); more {
					t.Errorf("grows twice: %+v", again)
				}
			}
		})
	}
	if _, grown := Grown(card, 3, 1<<30); grown {
		t.Error("a partition grew over the one behind it")
	}
}

func TestADamagedTableIsRefused(t *testing.T) {
	over, outside := card, card
	over.Partitions[2].Start--
	outside.Partitions[3].Length = math.MaxUint32
	for name, tc := range map[string]struct {
		s    []byte
		want string
	}{
		"nothing":     {nil, "no partition table"},
		"empty":       {make([]byte, Sector), "no partition table"},
		"overlapping": {sector(over), "partitions 2 and 3 lie over each other"},
		"too long":    {sector(outside), "partition 4 of 4294967295 sectors at 1318912 lies outside"},
	} {
		if _, err := Decode(tc.s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if _, err := Decode(make([]byte, Sector)); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

func sector(t Table) []byte {
	s := Encode(t)
	return s[:]
}

func FuzzDecode(f *testing.F) {
	f.Add(sector(card))
	f.Add(make([]byte, Sector))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(sector(got))
		if err != nil || again != got {
			t.Fatalf("%+v was read, but %+v after writing it: %v", got, again, err)
		}
		for n := 1; n <= 4; n++ {
			grown, _ := Grown(got, n, 1<<40)
			if _, err := Decode(sector(grown)); err != nil {
				t.Fatalf("grown to a table that is refused: %v", err)
			}
		}
	})
}
