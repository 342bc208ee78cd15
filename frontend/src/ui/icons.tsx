/** Outlines of the icons, on a grid of 24. */
const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zm8 0h4v14h-4z",
  previous: "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12z",
  next: "M8.6 16.6 10 18l6-6-6-6-1.4 1.4 4.6 4.6z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
  search: "M15.5 14h-.8l-.3-.3A6.5 6.5 0 1 0 14 15.5l.3.3v.8l5 5 1.5-1.5zm-6 0a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9z",
  warning: "M12 3 1.5 21h21zm1 15h-2v-2h2zm0-4h-2v-4h2z",
  home: "M5 15H3v4a2 2 0 0 0 2 2h4v-2H5zM5 5h4V3H5a2 2 0 0 0-2 2v4h2zm14-2h-4v2h4v4h2V5a2 2 0 0 0-2-2zm0 16h-4v2h4a2 2 0 0 0 2-2v-4h-2z",
  stretch:
    "M2 4h2v16H2zm18 0h2v16h-2zM9.4 8 5.4 12l4 4 1.4-1.4L9.2 13h5.6l-1.6 1.6 1.4 1.4 4-4-4-4-1.4 1.4 1.6 1.6H9.2l1.6-1.6z",
  back: "M20 11H7.8l5.6-5.6L12 4l-8 8 8 8 1.4-1.4L7.8 13H20z",
  panels: "M3 4v16h18V4zm4 14H5V6h2zm8 0H9V6h6zm4 0h-2V6h2z",
  chevron: "M7.4 8.6 12 13.2l4.6-4.6L18 10l-6 6-6-6z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18, class: extra = "" }: { name: IconName; size?: number; class?: string }) {
  return (
    <svg class={`icon ${extra}`} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
