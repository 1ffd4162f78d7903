// The label's QR code carries the code of the box behind #, a link the code of an invitation, so that it reaches no
// server and no log.
"use strict";
{
  const code = document.getElementById("code"), mark = location.hash.slice(1).replace(/^c=/, "");
  if (code && mark && !code.value) {
    code.value = decodeURIComponent(mark);
    const onward = document.getElementById("private"); // the same page over HTTPS
    if (onward) onward.hash = mark;
    history.replaceState(null, "", location.pathname + location.search);
    (document.getElementById("name") || document.getElementById("password")).focus();
  }
}
