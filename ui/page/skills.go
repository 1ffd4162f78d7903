package page

import "time"

// Skills is what the members of a queue can, on which level they serve it, and what its callers ask for.
type Skills struct {
	Reader Reader
	Box    string
	Title  string // name of the queue
	Said   Said
	Others []Said   // what is wrong beside the fields
	Path   string   // where it is posted to
	Back   string   // where who changes nothing goes
	Names  []string // of the skills: the columns
	New    string   // name of one that is not there yet, as typed
	Needs  SkillRow // what callers ask for at least
	Rows   []SkillRow
}

// SkillRow is one member: the level, each skill, and the new one.
type SkillRow struct {
	Who   string
	Cells []SkillCell
}

// SkillCell is one figure.
type SkillCell struct {
	Field string // name of the input
	Of    string // what it is, for who cannot see the table
	Value string
	Was   string
	Wrong Said
	Most  int
}

// Skills renders who can what in a queue.
func (r *Renderer) Skills(s Skills, now time.Time) ([]byte, error) {
	return r.shell("skills.html", "skills", s.Box, s.Reader, s, now)
}
