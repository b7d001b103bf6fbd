// What keys do, and rebinding them.

/** Every action: name, words, default key. Keys are written as `ctrl+shift+alt+key`. */
export const ACTIONS = [
  ['left', 'Crosshair left', 'arrowleft'], ['right', 'Crosshair right', 'arrowright'],
  ['up', 'Crosshair up', 'arrowup'], ['down', 'Crosshair down', 'arrowdown'],
  ['slice-up', 'Slice up', 'pageup'], ['slice-down', 'Slice down', 'pagedown'],
  ['stamp', 'Brush at the crosshair', ' '], ['stamp-erase', 'Erase at the crosshair', 'shift+ '],
  ['grow', 'Grow at the crosshair', 'g'], ['fill', 'Fill the lesion', 'f'],
  ['new-lesion', 'Next mark is a new lesion', 'w'],
  ['tool-brush', 'Brush', 'b'], ['tool-eraser', 'Eraser', 'e'], ['tool-grow', 'Grow by clicking', 'r'], ['tool-look', 'Look only', 'l'],
  ['smaller', 'Smaller brush', '['], ['larger', 'Larger brush', ']'], ['ball', 'Ball or disc', 'd'],
  ['nearer', 'Grow within less', '{'], ['farther', 'Grow within more', '}'],
  ['stricter', 'Grow: less tolerance', ','], ['looser', 'Grow: more tolerance', '.'],
  ['cmb', 'New marks are CMB', '1'], ['nhid', 'New marks are NHID', '2'],
  ['class', 'Other class', 'c'], ['certainty', 'Definite or possible', 'p'],
  ['region', 'Choose the region', 'o'], ['propose', 'Take the proposed region', 'shift+p'], ['comment', 'Write a comment', 'm'], ['delete', 'Delete the lesion', 'delete'],
  ['next-lesion', 'Next lesion', 'n'], ['previous-lesion', 'Previous lesion', 'shift+n'], ['deselect', 'No lesion', 'escape'],
  ['undo', 'Undo', 'z'], ['redo', 'Redo', 'shift+z'],
  ['hide', 'Hide or show marks', 'h'], ['regions', 'Show or hide regions', 'shift+h'], ['view', 'Axial or three planes', 'v'], ['side', 'Left on the right or left', 't'],
  ['pane', 'Next pane', 'q'], ['fourth', 'Other image in the last pane', 'i'],
  ['zoom-in', 'Zoom in', '+'], ['zoom-out', 'Zoom out', '-'], ['reset', 'Reset windows and zoom', '0'],
  ['pan-left', 'Move left', 'shift+arrowleft'], ['pan-right', 'Move right', 'shift+arrowright'],
  ['pan-up', 'Move up', 'shift+arrowup'], ['pan-down', 'Move down', 'shift+arrowdown'],
  ['brighter', 'Brighter', 'alt+arrowup'], ['darker', 'Darker', 'alt+arrowdown'],
  ['narrower', 'More contrast', 'alt+arrowright'], ['wider', 'Less contrast', 'alt+arrowleft'],
  ['exchange', 'Exchange both visits, to see them in turn', 'y'],
  ['done', 'Done with this case', 'ctrl+enter'], ['next-case', 'Next unread case', 'u'],
  ['case-below', 'Case below in the list', 'shift+pagedown'], ['case-above', 'Case above', 'shift+pageup'],
  ['review', "Review the model's candidates", 'shift+r'], ['adjudicate', 'Settle between raters', 'shift+s'], ['own', 'Back to own marks', 'shift+o'],
  ['next-candidate', 'Next to decide on', 'j'], ['previous-candidate', 'Previous to decide on', 'k'],
  ['accept', 'Accept', 'a'], ['reject', 'Reject', 'x'], ['withdraw', 'Open again', 'shift+x'],
  ['protocol', 'Protocol', '/'], ['help', 'Keys', '?'],
];

const shown = { ' ': 'space', arrowleft: '←', arrowright: '→', arrowup: '↑', arrowdown: '↓' };

/** How a key is written for people. */
export const pretty = (key) => key.split(/\+(?=.)/).map((part) => shown[part] ?? part).join(' ');

export function keyOf(event) {
  let key = event.key.toLowerCase();
  // Signs that need shift on some keyboards are written without it.
  const shift = event.shiftKey && (key.length > 1 || key === ' ' || key !== event.key);
  if (key === 'spacebar') key = ' ';
  return `${event.ctrlKey || event.metaKey ? 'ctrl+' : ''}${shift ? 'shift+' : ''}${event.altKey ? 'alt+' : ''}${key}`;
}

export class Keys {
  constructor(changed) { this.changed = changed; this.own = {}; this.actions = ACTIONS; }

  /** Takes only some actions. */
  limit(names) { this.actions = ACTIONS.filter(([name]) => names.has(name)); }

  /** Takes a rater's own keys over. */
  use(own) { this.own = own ?? {}; }

  keyFor(action) { return this.own[action] ?? ACTIONS.find(([name]) => name === action)?.[2]; }

  actionFor(event) {
    const key = keyOf(event);
    return this.actions.find(([name]) => this.keyFor(name) === key)?.[0];
  }

  /** Fills the table of keys; pressing a button waits for the new key. */
  render(table) {
    table.replaceChildren(...this.actions.map(([name, words]) => {
      const label = document.createElement('label');
      const button = document.createElement('button');
      button.type = 'button';
      button.dataset.action = name;
      button.textContent = pretty(this.keyFor(name));
      button.addEventListener('click', () => {
        button.textContent = 'press a key…';
        const listen = (event) => {
          if (['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return;
          event.preventDefault();
          event.stopPropagation();
          window.removeEventListener('keydown', listen, true);
          this.rebind(name, keyOf(event));
          this.render(table);
        };
        window.addEventListener('keydown', listen, true);
      });
      label.append(words, button);
      return label;
    }));
  }

  /** Gives an action a key; the action that had it takes this one's. */
  rebind(action, key) {
    const before = this.keyFor(action);
    const holder = ACTIONS.find(([name]) => name !== action && this.keyFor(name) === key)?.[0];
    if (holder) this.own[holder] = before;
    this.own[action] = key;
    this.changed();
  }
}
