package view

// Todo is something that is missing until the office works as it should: a step of the set-up that was left out,
// or whose probe failed. Page key "todo." + ID is its sentence.
type Todo struct {
	ID       string // such as "setup.lines"
	Link     string // path of the page on which it is put right
	Severity TodoSeverity
}

// TodoSeverity is what a Todo costs as long as it is left.
type TodoSeverity string

// The severities, in the words of the page's signs.
const (
	TodoInfo  TodoSeverity = "info"  // it could be nicer
	TodoWarn  TodoSeverity = "warn"  // something will be missed
	TodoError TodoSeverity = "error" // calls or records are lost
)
