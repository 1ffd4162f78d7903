package fax

import (
	"encoding/binary"
	"os"
	"testing"
)

// Page writes a TIFF of one page that a fax machine sends: rows of 1728 points (ITU-T T.4), black where
// a checkered pattern says so.
func Page(t testing.TB, path string, rows int) {
	t.Helper()
	const width = 1728
	image := make([]byte, 0, rows*width/8)
	for y := range rows {
		for x := range width / 8 {
			image = append(image, byte(-((x/7 ^ y/9) & 1)))
		}
	}
	type entry struct {
		tag, kind uint16
		value     uint32
	}
	const after = 8 + 2 + 12*13 + 4
	entries := []entry{
		{254, 4, 0},
		{256, 4, width},
		{257, 4, uint32(rows)},
		{258, 3, 1},
		{259, 3, 1},
		{262, 3, 0},
		{273, 4, after + 16},
		{277, 3, 1},
		{278, 4, uint32(rows)},
		{279, 4, uint32(len(image))},
		{282, 5, after},
		{283, 5, after + 8},
		{296, 3, 2},
	}
	b := binary.LittleEndian.AppendUint16([]byte("II*\x00\x08\x00\x00\x00"), uint16(len(entries)))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.kind)
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, e.value)
	}
	b = append(b, 0, 0, 0, 0)
	for _, v := range []uint32{204, 1, 98, 1} { // dots per inch
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if err := os.WriteFile(path, append(b, image...), 0o600); err != nil {
		t.Fatal(err)
	}
}
