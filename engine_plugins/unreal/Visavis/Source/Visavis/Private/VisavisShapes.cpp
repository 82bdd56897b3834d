#include "VisavisShapes.h"

#include "VisavisFace.h"

#include "visavis/client.h"

namespace
{
	/** "eyeBlink_L" and "EyeBlinkL" to "eyeBlinkLeft"; not the l of a word. */
	FString WithSide(const FString& Text)
	{
		const int32 Last = Text.Len() - 1;
		const bool bApart = Last > 0 && Text[Last - 1] == TEXT('_');
		const bool bCapital = Last > 0 && FChar::IsLower(Text[Last - 1]) && FChar::IsUpper(Text[Last]);
		const TCHAR Side = bApart || bCapital ? FChar::ToUpper(Text[Last]) : TEXT(' ');
		const FString Before = Text.LeftChop(bApart ? 2 : 1);
		return Side == TEXT('L') ? Before + TEXT("Left") : Side == TEXT('R') ? Before + TEXT("Right") : Text;
	}

	bool IsSeparator(TCHAR Char)
	{
		return Char == TEXT('.') || Char == TEXT(':') || Char == TEXT('|') || Char == TEXT('_');
	}
}  // namespace

FName VisavisShapes::Name(int32 Shape)
{
	return CurveNames()[Shape];
}

const TArray<FName>& VisavisShapes::CurveNames()
{
	static const TArray<FName> Names = []
	{
		TArray<FName> Made;
		for (uint32 Shape = 0; Shape < FVisavisFace::NumShapes; ++Shape)
		{
			FString Text(UTF8_TO_TCHAR(vvc_shape_name(Shape)));
			Made.Add(FName(*(Text.Left(1).ToUpper() + Text.RightChop(1))));
		}
		Made.Add(FName(TEXT("HeadYaw")));
		Made.Add(FName(TEXT("HeadPitch")));
		Made.Add(FName(TEXT("HeadRoll")));
		return Made;
	}();
	return Names;
}

int32 VisavisShapes::Find(const FString& MorphTarget)
{
	const FString Text = WithSide(MorphTarget);
	for (int32 From = 0; From < Text.Len(); ++From)
	{
		if (From > 0 && !IsSeparator(Text[From - 1]))
		{
			continue;
		}
		const FString Candidate = Text.RightChop(From).Replace(TEXT("_"), TEXT(""));
		for (int32 Shape = 0; Shape < FVisavisFace::NumShapes; ++Shape)
		{
			if (Candidate.Equals(Name(Shape).ToString(), ESearchCase::IgnoreCase))
			{
				return Shape;
			}
		}
	}
	return INDEX_NONE;
}
