package layout

import (
	"testing"

	"github.com/pronto-pbx/pronto/images/mbr"
)

func TestPartitionsAreAlignedFollowEachOtherAndFillTheImage(t *testing.T) {
	at := int64(Align)
	for i, p := range Table().Partitions {
		if Offset(i+1) != at || at%Align != 0 {
			t.Errorf("partition %d begins at %d, want %d, a multiple of %d", i+1, Offset(i+1), at, Align)
		}
		at += int64(p.Length) * mbr.Sector
	}
	if at != ImageSize {
		t.Errorf("partitions end at %d, the image at %d", at, ImageSize)
	}
	s := mbr.Encode(Table())
	if _, err := mbr.Decode(s[:]); err != nil {
		t.Error(err)
	}
}

func TestTheSlotsAreAlikeSoThatOneImageFitsBoth(t *testing.T) {
	p := Table().Partitions
	if p[SlotA-1].Length != p[SlotB-1].Length || p[SlotA-1].Type != p[SlotB-1].Type {
		t.Errorf("slot A %+v, slot B %+v", p[SlotA-1], p[SlotB-1])
	}
}
