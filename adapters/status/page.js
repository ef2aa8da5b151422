'use strict';
// Once a second, while somebody can see it, the page fetches itself and takes over what has changed.
// So selected text stays selected, and everything on the page was escaped by the server.
const live = document.getElementById('live');
const main = document.querySelector('main');
let timer = 0, answered = Date.now();

// become makes the node a equal to b.
function become(a, b) {
	if (a.nodeName !== b.nodeName) {
		a.replaceWith(document.importNode(b, true));
		return;
	}
	if (a.nodeType !== Node.ELEMENT_NODE) {
		if (a.data !== b.data) a.data = b.data;
		return;
	}
	for (const {name, value} of b.attributes) {
		if (a.getAttribute(name) !== value) a.setAttribute(name, value);
	}
	for (const name of a.getAttributeNames()) {
		if (!b.hasAttribute(name)) a.removeAttribute(name);
	}
	const old = [...a.childNodes], now = [...b.childNodes];
	now.forEach((n, i) => i < old.length ? become(old[i], n) : a.append(document.importNode(n, true)));
	old.slice(now.length).forEach(n => n.remove());
}

// say writes the line at the top. It is not one that screen readers should repeat every second.
function say(text, lost) {
	live.setAttribute('aria-live', lost && !live.classList.contains('lost') ? 'polite' : 'off');
	live.classList.toggle('lost', lost);
	live.textContent = text;
}

async function update() {
	try {
		const response = await fetch(location.href, {headers: {Accept: 'text/html'}, cache: 'no-store', signal: AbortSignal.timeout(5000)});
		if (!response.ok) throw new Error(`the response is ${response.status}`);
		const next = new DOMParser().parseFromString(await response.text(), 'text/html');
		const from = next.querySelector('main'), time = next.getElementById('live');
		if (!from || !time) throw new Error('the response is another page');
		become(main, from);
		document.title = next.title;
		answered = Date.now();
		say(time.textContent, false);
	} catch (e) {
		const seconds = Math.round((Date.now() - answered) / 1000);
		say(`No answer for ${seconds} s. What is below is old. ${e.message}`, true);
		document.title = 'NO ANSWER ' + document.title.replace(/^NO ANSWER /, '');
	}
	schedule(1000);
}

function schedule(delay) {
	clearTimeout(timer);
	if (!document.hidden) timer = setTimeout(update, delay);
}

document.addEventListener('visibilitychange', () => schedule(0));
schedule(1000);
