package stick

import (
	"bytes"
	"strings"
)

// Order is what a file on a stick asks of the box that it names.
type Order string

// The orders, as they are written in the file.
const (
	Recover Order = "recovery"      // open the recovery system
	Reset   Order = "factory-reset" // forget the owner, the office and the records
	Reclaim Order = "new-owner"     // let the box be claimed again, with the code of its label
)

// File is the name of the file, in the top directory of a stick: the id of the label and the order, with
// anything between them that is no letter or digit. Done is what the box calls it before it obeys, so that
// one stick gives one order once.
const (
	File = "pronto.txt"
	Done = "pronto-done.txt"
)

// maxOrder bounds what is read of the file.
const maxOrder = 1024

// ParseOrder reads the file as people's editors write it: any case, any end of line, with or without a byte
// order mark. It is false for what names another box or no order: a stick is proof that somebody stands at
// this one.
func ParseOrder(text []byte, id string) (Order, bool) {
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if len(text) > maxOrder || id == "" {
		return "", false
	}
	words := strings.FieldsFunc(strings.ToLower(string(text)), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
	if len(words) != 2 || words[0] != strings.ToLower(id) {
		return "", false
	}
	switch o := Order(words[1]); o {
	case Recover, Reset, Reclaim:
		return o, true
	}
	return "", false
}

// Updates that a stick brings lie in the folder UpdatesIn of its top directory, with names that end in UpdateEnd.
const (
	UpdatesIn = "pronto"
	UpdateEnd = ".update"
)
