// What the harness asks of a page. It runs before each question, in a scope of its own: the page does not see it.
const squeezed = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });

// A label may stand around its control, whose own words are not part of the name.
const labelWords = (label) => {
  const copy = label.cloneNode(true);
  copy.querySelectorAll('input, select, textarea').forEach((control) => control.remove());
  return squeezed(copy.textContent);
};

const labelsOf = (element) => [...(element.labels ?? [])].map(labelWords);

const pressables = 'a[href], button, summary, label, input[type=submit], input[type=button], '
  + '[role=button], [role=link], [role=tab], [role=menuitem], [role=option]';

const wordsOf = (element) => squeezed(
  element.matches('input') ? element.value : element.innerText,
);

// Everything visible that can be pressed and says exactly this; of two inside each other, the inner.
const pressable = (words) => {
  const found = [...document.querySelectorAll(pressables)].filter(
    (element) => isVisible(element)
      && (wordsOf(element) === words || squeezed(element.getAttribute('aria-label')) === words),
  );
  return found.filter((element) => !found.some((other) => other !== element && element.contains(other)));
};

// Every field that has this label, or this name, id or placeholder.
const fields = (name) => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(
  (element) => isVisible(element) && [
    ...labelsOf(element),
    squeezed(element.getAttribute('aria-label')),
    element.name,
    element.id,
    element.placeholder,
  ].includes(name),
);

// Picks or sets what cannot be typed, and says whether it did. A text field is made ready to be typed over.
const set = (element, value) => {
  const typed = ['', 'text', 'password', 'email', 'search', 'tel', 'url', 'number'];
  const kind = element.matches('select, textarea') ? element.localName : element.getAttribute('type') ?? '';
  if (kind === 'textarea' || typed.includes(kind)) {
    element.focus();
    element.select();
    return 'type';
  }
  if (kind === 'select') {
    const option = [...element.options].find((one) => one.value === value || squeezed(one.text) === value);
    if (!option) return `it has no option ${JSON.stringify(value)}`;
    element.value = option.value;
  } else if (kind === 'checkbox' || kind === 'radio') {
    if (element.checked !== (value === 'true')) element.click();
    return 'done';
  } else {
    element.value = value;
    if (element.value !== value) return `it does not take ${JSON.stringify(value)}`;
  }
  element.dispatchEvent(new Event('input', { bubbles: true }));
  element.dispatchEvent(new Event('change', { bubbles: true }));
  return 'done';
};

const described = (element) => {
  if (!element || element === document.body || element === document.documentElement) return 'nothing';
  const name = squeezed(element.getAttribute('aria-label'))
    || labelsOf(element).join(' ')
    || wordsOf(element)
    || element.getAttribute('title')
    || element.name
    || element.id;
  return name ? `${element.localName} "${name}"` : element.localName;
};

// Called when the fonts are there and two frames have been drawn.
const settled = (then) => document.fonts.ready.then(
  () => requestAnimationFrame(() => requestAnimationFrame(() => then(true))),
);
