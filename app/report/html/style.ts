/**
 * Colours as [light, dark]. `test/app/report/html.test.ts` measures every text colour against every surface it
 * stands on (WCAG 4.5) and every graphic colour against the card (3).
 */
export const COLORS = {
  page: ['#f4f6f9', '#0d1219'],
  card: ['#ffffff', '#161d27'],
  raised: ['#eef1f6', '#1f2835'],
  line: ['#dbe0e8', '#2b3646'],
  text: ['#18202d', '#e7ebf1'],
  muted: ['#545f73', '#a5b0c1'],
  accent: ['#1b57b4', '#8ab6ff'],
  red: ['#b3203d', '#ff8b9c'],
  amber: ['#835200', '#f1c158'],
  green: ['#17693f', '#6ad69f'],
  redSoft: ['#fdeef0', '#331a21'],
  amberSoft: ['#fdf4e0', '#2e2512'],
  greenSoft: ['#e9f6ef', '#13291f'],
  requests: ['#4a86d8', '#5b93df'],
  errors: ['#cf3550', '#ff7488'],
  refused: ['#b06a00', '#e8a93c'],
  bytes: ['#2a8f86', '#45b8ad'],
  ok: ['#2e9461', '#4fbf88'],
  redirect: ['#7a6fd0', '#a298f0'],
  neutral: ['#7b8698', '#8d99ab'],
} as const satisfies Readonly<Record<string, readonly [light: string, dark: string]>>;

const entries = Object.entries(COLORS);
const plain = entries.map(([name, [light]]) => `--${name}:${light}`).join(';');
const themed = entries.map(([name, [light, dark]]) => `--${name}:light-dark(${light},${dark})`).join(';');

/** Follows the reader's system; `?theme=dark` or `light` in the address (with JavaScript) and print choose otherwise. */
export const STYLE = `
:root{color-scheme:light dark;${plain}}
@supports (color:light-dark(#000,#fff)){:root{${themed}}}
:root[data-theme=dark]{color-scheme:dark}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:32px;padding-bottom:8px}
a{color:var(--accent)}
a:focus-visible,button:focus-visible,input:focus-visible,[tabindex]:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.brand{display:flex;align-items:center;gap:10px;font-weight:650;color:var(--muted)}
.brand svg{width:22px;height:22px;color:var(--accent)}
h1{font-size:28px;line-height:1.25;margin:10px 0 4px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:18px;line-height:1.3;margin:0;letter-spacing:-.005em}
h3{font-size:15px;margin:0}
p{margin:0}
.sub,.note{color:var(--muted)}
.sub{overflow-wrap:anywhere}
section,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 22px;margin:16px 0}
.head{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 12px;margin-bottom:12px}
.head .note{font-size:14px}
.verdict{border-left-width:6px;font-size:17px;padding:16px 20px}
.verdict p+p{font-size:15px;color:var(--muted);margin-top:2px}
.verdict.critical{border-left-color:var(--red);background:var(--redSoft)}
.verdict.medium{border-left-color:var(--amber);background:var(--amberSoft)}
.verdict.calm{border-left-color:var(--green);background:var(--greenSoft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0;padding:0}
.tiles>div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.tiles dt{color:var(--muted);font-size:13px}
.tiles dd{margin:2px 0 0;font-size:24px;font-weight:650;letter-spacing:-.01em;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles dd+dd{font-size:13px;font-weight:400;color:var(--muted);letter-spacing:0;line-height:1.4;margin-top:4px}
figure{margin:0}
figcaption{margin-bottom:10px}
figcaption strong{display:block;font-size:15px}
figcaption span{color:var(--muted);font-size:14px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(290px,1fr));gap:16px;margin:16px 0}
.pair>*{margin:0}
.plot{display:grid;grid-template-columns:max-content 1fr;gap:0 8px;font-size:12px;color:var(--muted);font-variant-numeric:tabular-nums}
.plot .y{display:flex;flex-direction:column;justify-content:space-between;text-align:right;line-height:1}
.plot .area{position:relative;border-bottom:1px solid var(--line);background:linear-gradient(var(--line),var(--line)) 0 0/100% 1px no-repeat,linear-gradient(var(--line),var(--line)) 0 50%/100% 1px no-repeat}
.plot svg{display:block;width:100%;height:150px;overflow:visible}
.plot.tall svg{height:210px}
.plot .x{grid-column:2;display:flex;justify-content:space-between;padding-top:5px}
.plot .marks{grid-column:2;position:relative;height:14px;margin-top:2px}
.plot .marks a{position:absolute;top:2px;width:10px;height:10px;margin-left:-5px;border-radius:50%;background:var(--amber);border:1px solid var(--card)}
.plot .marks a.critical,.plot .marks a.high{background:var(--red)}
.plot .marks a.info,.plot .marks a.low{background:var(--neutral)}
.plot .marks a:hover{transform:scale(1.4)}
.hit{fill:transparent}
.hit:hover{fill:var(--text);fill-opacity:.08}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:10px 0 0;padding:0;list-style:none;font-size:13px;color:var(--muted)}
.legend b{color:var(--text);font-weight:600;font-variant-numeric:tabular-nums}
.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
.swatch.dot{border-radius:50%}
.stack{display:flex;height:22px;gap:2px;border-radius:6px;overflow:hidden}
.stack span{min-width:2px}
.scroll{overflow-x:auto;margin:0 -6px;padding:0 6px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:8px 12px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
tbody tr:last-child>*{border-bottom:0}
thead th{color:var(--muted);font-weight:600;font-size:13px;white-space:nowrap;vertical-align:bottom}
tbody th{font-weight:600;overflow-wrap:anywhere;min-width:150px;max-width:330px}
tbody th small{display:block;font-weight:400}
.agent{max-height:3em;overflow:hidden}
small,.small{font-size:13px;color:var(--muted)}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.time{white-space:nowrap;font-size:13px;font-variant-numeric:tabular-nums}
.wide{overflow-wrap:anywhere;min-width:200px}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
pre{margin:0;padding:14px 16px;background:var(--raised);border-radius:8px;overflow-x:auto;line-height:1.5}
.bad{color:var(--red);font-weight:600}
.warn{color:var(--amber);font-weight:600}
.tag{display:inline-block;font-size:12px;font-weight:650;line-height:1.5;padding:1px 8px;border-radius:99px;background:var(--raised);color:var(--muted);white-space:nowrap;text-decoration:none}
.tag.critical,.tag.high{background:var(--redSoft);color:var(--red)}
.tag.medium{background:var(--amberSoft);color:var(--amber)}
.tag.good{background:var(--greenSoft);color:var(--green)}
.spark{display:block;width:104px;height:24px}
tr:target>*{background:var(--raised)}
.tools{display:flex;gap:12px;align-items:center;margin-bottom:10px}
.tools input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--neutral);border-radius:8px;padding:7px 12px;width:min(340px,100%)}
.sort{all:unset;cursor:pointer;font:inherit}
.sort:hover{color:var(--text)}
.sort{position:relative}
.sort::after{position:absolute;left:calc(100% + 1px);top:0}
[aria-sort=ascending] .sort::after{content:"\\2191"}
[aria-sort=descending] .sort::after{content:"\\2193"}
.gaps{margin:0 0 0 18px;padding:0}
.gaps li{margin:3px 0}
.gap-source{font-weight:600;margin:10px 0 4px;overflow-wrap:anywhere}
details{margin-top:12px}
summary{cursor:pointer;color:var(--accent);font-size:14px}
details .scroll{max-height:420px;overflow-y:auto;margin-top:8px}
.message{border:1px solid var(--line);border-radius:10px;padding:12px 14px;margin:10px 0 0}
.message pre{background:none;padding:6px 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
footer{color:var(--muted);font-size:13px;padding-top:8px;padding-bottom:40px}
@media (max-width:640px){main,header,footer{padding-left:14px;padding-right:14px}section,.card{padding:16px}h1{font-size:23px}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{
:root,:root[data-theme]{color-scheme:light}
body{background:#fff;font-size:11px}
h1{font-size:20px}
h2{font-size:14px}
.verdict,figcaption strong{font-size:12px}
.verdict p+p{font-size:10px}
.plot{font-size:9px}
.tiles dd{font-size:16px}
.plot svg,.plot.tall svg{height:110px}
main,header,footer{max-width:none;padding-left:0;padding-right:0}
section,.card,.tiles>div,figure,.message,tr{break-inside:avoid}
section:has(table){break-inside:auto}
section,.card,.tiles>div{border-color:#ccc}
.head,figcaption,h2{break-after:avoid}
.scroll,details .scroll{overflow:visible;max-height:none}
.tools,details:not([open]){display:none}
table,.time,small,.small,thead th,.tag,.legend,.head .note,figcaption span,.tiles dt,.tiles dd+dd,pre,code{font-size:10px}
thead{display:table-header-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
`;
