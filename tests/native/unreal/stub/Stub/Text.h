// Stand-in for tests, see README.md: FString, FText, conversions.
#pragma once

#include <cstdio>
#include <string>

#include "Stub/Containers.h"

namespace ESearchCase {
enum Type { CaseSensitive, IgnoreCase };
}

namespace Stub {
std::string ToUtf8(const TCHAR* Text);
std::u16string FromUtf8(const char* Text);
std::u16string Lower(std::u16string Text);

/** %s takes const TCHAR* alone: an FString or char* does not compile, as with the engine. */
template <typename T>
auto Argument(const T& Value) {
    if constexpr (std::is_enum_v<T>) {
        static_assert(sizeof(T) == 0, "cast an enum before it is formatted");
    } else if constexpr (std::is_arithmetic_v<T>) {
        return Value;
    } else {
        static_assert(std::is_convertible_v<T, const TCHAR*>, "%s takes const TCHAR*");
        return ToUtf8(Value);
    }
}
inline const char* Plain(const std::string& Value) { return Value.c_str(); }
template <typename T>
T Plain(const T& Value) {
    return Value;
}

template <typename... A>
std::string Format(const std::string& Pattern, const A&... Arguments) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int Length = std::snprintf(nullptr, 0, Pattern.c_str(), Plain(Arguments)...);
    std::string Text(static_cast<size_t>(Length) + 1, '\0');
    std::snprintf(Text.data(), Text.size(), Pattern.c_str(), Plain(Arguments)...);
#pragma GCC diagnostic pop
    Text.resize(static_cast<size_t>(Length));
    return Text;
}
}  // namespace Stub

class FString {
  public:
    FString() = default;
    FString(const TCHAR* Text) : Chars(Text == nullptr ? u"" : Text) {}
    explicit FString(std::u16string Text) : Chars(std::move(Text)) {}
    const TCHAR* operator*() const { return Chars.c_str(); }
    int32 Len() const { return static_cast<int32>(Chars.size()); }
    bool IsEmpty() const { return Chars.empty(); }
    TCHAR operator[](int32 Index) const { return Chars.at(static_cast<size_t>(Index)); }
    FString Replace(const TCHAR* From, const TCHAR* To) const;
    void Empty() { Chars.clear(); }
    void AppendChar(TCHAR Char) { Chars += Char; }
    auto begin() const { return Chars.begin(); }
    auto end() const { return Chars.end(); }
    bool IsNumeric() const;
    bool Equals(const FString& Other, ESearchCase::Type Case = ESearchCase::CaseSensitive) const;
    bool StartsWith(const FString& Other, ESearchCase::Type Case = ESearchCase::IgnoreCase) const;
    bool EndsWith(const FString& Other, ESearchCase::Type Case = ESearchCase::IgnoreCase) const;
    bool Split(const FString& At, FString* Left, FString* Right) const;
    int32 ParseIntoArray(TArray<FString>& Parts, const TCHAR* Delimiter, bool bCullEmpty = true) const;
    FString Left(int32 Count) const { return FString(Chars.substr(0, Clamped(Count))); }
    FString LeftChop(int32 Count) const { return FString(Chars.substr(0, Chars.size() - Clamped(Count))); }
    FString RightChop(int32 Count) const { return FString(Chars.substr(Clamped(Count))); }
    FString ToLower() const { return FString(Stub::Lower(Chars)); }
    FString ToUpper() const;
    FString TrimStartAndEnd() const;
    FString& operator+=(const FString& Other) { return Chars += Other.Chars, *this; }
    FString operator+(const FString& Other) const { return FString(Chars + Other.Chars); }
    /** Without regard to case, as the engine's. */
    bool operator==(const FString& Other) const { return Equals(Other, ESearchCase::IgnoreCase); }
    static FString Join(const TArray<FString>& Parts, const TCHAR* Between);
    template <size_t N, typename... A>
    static FString Printf(const TCHAR (&Pattern)[N], const A&... Arguments) {
        return FString(Stub::FromUtf8(Stub::Format(Stub::ToUtf8(Pattern), Stub::Argument(Arguments)...).c_str()));
    }

  private:
    size_t Clamped(int32 Count) const { return std::min(static_cast<size_t>(std::max(Count, 0)), Chars.size()); }
    std::u16string Chars;
};
inline FString operator/(const FString& A, const TCHAR* B) { return A + TEXT("/") + B; }

class FText {
  public:
    static FText FromString(const FString& Text) { return FText(Text); }
    const FString& ToString() const { return Value; }
    FText() = default;

  private:
    explicit FText(FString Text) : Value(std::move(Text)) {}
    FString Value;
};
#define LOCTEXT(Key, Literal) FText::FromString(FString(TEXT(Literal)))

struct FChar {
    static bool IsDigit(TCHAR Char) { return Char >= u'0' && Char <= u'9'; }
    static bool IsLower(TCHAR Char) { return Char >= u'a' && Char <= u'z'; }
    static bool IsUpper(TCHAR Char) { return Char >= u'A' && Char <= u'Z'; }
    static TCHAR ToUpper(TCHAR Char) { return IsLower(Char) ? static_cast<TCHAR>(Char - 32) : Char; }
};
struct FCString {
    static int32 Atoi(const TCHAR* Text) { return std::atoi(Stub::ToUtf8(Text).c_str()); }
};

class FTCHARToUTF8 {
  public:
    explicit FTCHARToUTF8(const TCHAR* Text) : Bytes(Stub::ToUtf8(Text)) {}
    const char* Get() const { return Bytes.c_str(); }
    int32 Length() const { return static_cast<int32>(Bytes.size()); }

  private:
    std::string Bytes;
};
class FUTF8ToTCHAR {
  public:
    explicit FUTF8ToTCHAR(const char* Text) : Chars(Stub::FromUtf8(Text)) {}
    const TCHAR* Get() const { return Chars.c_str(); }

  private:
    std::u16string Chars;
};
/** They live as long as the expression: keep no pointer. */
#define TCHAR_TO_UTF8(Text) (FTCHARToUTF8(Text).Get())
#define UTF8_TO_TCHAR(Text) (FUTF8ToTCHAR(Text).Get())
