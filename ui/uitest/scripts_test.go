package uitest

// cut lists what does not fit: elements that stick out of the window or of their own box, what a box of fixed size
// hides, and telephone numbers that break in the middle. A table of data in a box that scrolls may be wider.
const cut = `[...document.querySelectorAll("body, body *")].filter((e) => !e.closest(".unseen, .skip, .wide, .notices h2, svg, script, option") && e.checkVisibility() &&
	(e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" ||
	/hidden|clip/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1 ||
	e.className === "tel" && /^\+?\d+$/.test(e.textContent) && e.getClientRects().length > 1))
	.map((e) => e.outerHTML.slice(0, 120))`

// overlaps lists texts of which one lies upon the other. What stays in its place while the page scrolls below it
// may.
const overlaps = `(() => {
	const all = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
	for (let n; n = walk.nextNode();) {
		const e = n.parentElement;
		if (!n.data.trim() || e.closest(".unseen, .skip, .notices h2, noscript, script, option, textarea") || !e.checkVisibility()) continue;
		let still = e;
		while (still && !/fixed|sticky/.test(getComputedStyle(still).position)) still = still.parentElement;
		if (still) continue;
		range.selectNodeContents(n);
		for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) all.push([r, n.data.trim().slice(0, 40)]);
	}
	all.sort((a, b) => a[0].top - b[0].top);
	const found = [];
	for (let i = 0; i < all.length; i++) for (let j = i + 1; j < all.length && all[j][0].top < all[i][0].bottom; j++) {
		const [a, b] = [all[i][0], all[j][0]];
		const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
		if (wide > 2 && high > Math.min(a.height, b.height) / 3) found.push(all[i][1] + " | " + all[j][1]);
	}
	return found;
})()`

// controls lists what a keyboard must reach.
const controls = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")]
	.filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({visibilityProperty: true}))`

// focused tells of the element with the focus which of window.controls it is, whether it is marked, and whether
// something else lies upon all of it.
const focused = `(() => {
	const e = document.activeElement, style = getComputedStyle(e), r = e.getClientRects()[0] || new DOMRect();
	const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
	const seen = [[.5, .5], [.1, .2], [.9, .2], [.1, .8], [.9, .8]].some(([x, y]) => {
		const hit = document.elementFromPoint(r.left + r.width * x, r.top + r.height * y);
		return hit && (e.contains(hit) || hit.contains(e) && !/fixed|sticky/.test(getComputedStyle(hit).position) || [...e.labels || []].some((l) => l.contains(hit)));
	});
	return {at: window.controls.indexOf(e), what: e.outerHTML.slice(0, 120), marked, seen};
})()`

// judged runs axe-core with every rule, also the one of small targets, which is off by itself. It tells how many
// rules found something to judge.
const judged = `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then((r) => ({rules: r.passes.length + r.violations.length,
	faults: r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 160) + " " + n.failureSummary.replace(/\s+/g, " ")).slice(0, 4).join("\n    "))}))`
