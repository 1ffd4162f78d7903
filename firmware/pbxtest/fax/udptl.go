package fax

import (
	"encoding/binary"
	"errors"
)

// redundancy is how many earlier messages each datagram repeats.
const redundancy = 3

// Writer makes datagrams of T.38 (UDPTL, ITU-T T.38 section 9.1) that repeat earlier messages.
type Writer struct{ earlier [][]byte } // the latest first

// Datagram carries a message.
func (w *Writer) Datagram(m Message) []byte {
	b := appendField(binary.BigEndian.AppendUint16(nil, m.Seq), m.Data)
	b = append(b, 0, byte(len(w.earlier)))
	for _, x := range w.earlier {
		b = appendField(b, x)
	}
	w.earlier = append([][]byte{m.Data}, w.earlier[:min(len(w.earlier), redundancy-1)]...)
	return b
}

// appendField writes a length, as PER does, and the bytes.
func appendField(b, field []byte) []byte {
	if len(field) < 0x80 {
		b = append(b, byte(len(field)))
	} else {
		b = binary.BigEndian.AppendUint16(b, 0x8000|uint16(len(field)))
	}
	return append(b, field...)
}

// Reader takes datagrams; what was lost it finds in later ones.
type Reader struct {
	next     uint16
	Repaired int // messages that were lost and found
	Lost     int // that were not found
}

var errCut = errors.New("a datagram of T.38 is cut short")

// Messages are those that a datagram brings, in order and each once.
func (r *Reader) Messages(b []byte) ([]Message, error) {
	if len(b) < 2 {
		return nil, errCut
	}
	seq := binary.BigEndian.Uint16(b)
	primary, b, err := cutField(b[2:])
	if err != nil {
		return nil, err
	}
	if len(b) < 2 || b[0] != 0 {
		return nil, errCut
	}
	missing := int(int16(seq - r.next))
	if missing < 0 {
		return nil, nil // an old one
	}
	var found []Message
	count := int(b[1])
	b = b[2:]
	for i := range count {
		var field []byte
		if field, b, err = cutField(b); err != nil {
			return nil, err
		}
		if i < missing {
			found = append([]Message{{seq - uint16(i) - 1, field}}, found...)
		}
	}
	r.Repaired += len(found)
	r.Lost += missing - len(found)
	r.next = seq + 1
	return append(found, Message{seq, primary}), nil
}

func cutField(b []byte) (field, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errCut
	}
	n := int(b[0])
	b = b[1:]
	if n&0x80 != 0 {
		n, b = (n&0x3f)<<8|int(b[0]), b[1:]
	}
	if n > len(b) {
		return nil, nil, errCut
	}
	return b[:n], b[n:], nil
}
