package otatest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
)

// SlotSize is the length of a slot of a test's card, in bytes.
const SlotSize = 256 << 10

const (
	choiceAt = 0
	slotsAt  = 4096
)

// Blank is a card as it leaves the factory: a release in slot A, nothing in slot B.
func Blank(inA []byte) []byte {
	card := make([]byte, slotsAt+2*SlotSize)
	copy(card[choiceAt:], choice.Encode(choice.Default()))
	copy(card[slotsAt:], inA)
	return card
}

// Slot is a slot of a card.
func (c *Card) Slot(n int) *Part { return c.Part(slotAt(n), SlotSize) }

// Choice is the sector by which the boot loader chooses.
func (c *Card) Choice() *Part { return c.Part(choiceAt, choice.Size) }

func slotAt(n int) int64 { return slotsAt + int64(n-layout.SlotA)*SlotSize }

// Content is a release as it lies in a slot: a FAT's first sector, and what its name makes of the rest.
func Content(name string, size int) []byte {
	b := make([]byte, size)
	sum := sha256.Sum256([]byte(name))
	draw := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), 1))
	for at := 0; at < size; at += 1024 { // half of it compresses
		for i := at; i < min(at+512, size); i++ {
			b[i] = byte(draw.Uint32())
		}
	}
	copy(b, "\xEB\x58\x90PRONTO  ")
	binary.LittleEndian.PutUint16(b[11:], Sector)
	copy(b[90:], name)
	copy(b[510:], "\x55\xAA")
	return b
}

// Sum is the SHA-256 of a content, in hex.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Chosen is the partition that a Raspberry Pi's boot loader takes off a card: it reads the lines of autoboot.txt that
// hold for this start (all, and tryboot for the one start that was asked for), and the last boot_partition wins. A
// partition that is no FAT is passed over for the first one, where the recovery system lies.
func Chosen(card []byte, try bool) int {
	part := layout.Select
	holds := true
	text := card[choiceAt : choiceAt+choice.Size]
	for line := range strings.Lines(string(bytes.TrimRight(text, "\x00"))) {
		line = strings.TrimSpace(line)
		switch {
		case line == "[all]":
			holds = true
		case line == "[tryboot]":
			holds = try
		case strings.HasPrefix(line, "["):
			holds = false
		case holds && strings.HasPrefix(line, "boot_partition="):
			if n, err := strconv.Atoi(strings.TrimPrefix(line, "boot_partition=")); err == nil {
				part = n
			}
		}
	}
	if part != layout.SlotA && part != layout.SlotB || !Bootable(card, part) {
		return layout.Select
	}
	return part
}

// Bootable reports whether a boot loader takes a slot for a FAT.
func Bootable(card []byte, slot int) bool {
	b := card[slotAt(slot):][:Sector]
	return b[0] == 0xEB && b[2] == 0x90 && binary.LittleEndian.Uint16(b[11:]) == Sector && b[510] == 0x55 && b[511] == 0xAA
}

// Holds reports whether a slot holds a content, byte by byte.
func Holds(card []byte, slot int, content []byte) bool {
	return bytes.Equal(card[slotAt(slot):][:len(content)], content)
}
