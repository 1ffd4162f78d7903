// Package conference decides what happens in a conference room: who has a seat, who is heard, who hears words and
// who music. It is pure; package chair owns the rooms.
//
// The keys follow the usage of other exchanges, a star and a digit: *6 silences the own voice and gives it back.
// A leader has *1 to lock the room, *2 to record where that is on demand, *3 to remove who came last, *5 to silence everybody else and *0 to end the
// conference; each undoes itself where there is something to undo.
package conference
